"Write README.md from nbs/index.ipynb: markdown cells and shown outputs, with links to the rendered pages."
import re
from execnb.nbio import read_nb
from nbdev.config import get_config
from docs import plain

def written(output):
    "Markdown of an output: a table as it is, printed text in a box"
    if output.output_type != 'stream': return ''.join(output['data']['text/markdown'])
    return '```\n' + ''.join(output['text']).rstrip() + '\n```'

def shown(cell):
    "Markdown of one cell of the home page, or None for what readers do not see"
    if cell.cell_type == 'markdown': return cell.source
    if cell.source.startswith('#| hide') or not cell.get('outputs'): return None
    return '\n'.join(map(written, cell.outputs))

def page(link):
    "Address of the page that is made from a notebook, with the part behind `#`"
    cfg,(path,mark,part) = get_config(), link.partition('#')
    return f'{cfg.doc_host}{cfg.doc_baseurl}/{plain(path)}.html{mark}{part}'

def readme():
    "The text of README.md"
    cells = [shown(c) for c in read_nb(get_config().nbs_path/'index.ipynb').cells]
    text = '\n\n'.join(c for c in cells if c)
    text = re.sub(r'\]\((?!https?:)([^)]+\.ipynb(?:#[^)]*)?)\)', lambda m: f']({page(m[1])})', text)
    return re.sub(r'\]\((?!https?:)([^)]+\.png)\)', r'](nbs/\1)', text) + '\n'

if __name__ == '__main__': (get_config().config_path/'README.md').write_text(readme())
