"Write README.md from nbs/index.ipynb: markdown cells and shown outputs, with links that work on the repository's page."
import re
from execnb.nbio import read_nb
from nbdev.config import get_config

def shown(cell):
    "Markdown of one cell of the home page, or None for what readers do not see"
    if cell.cell_type == 'markdown': return cell.source
    if cell.source.startswith('#| hide') or not cell.get('outputs'): return None
    return '\n'.join('```\n' + ''.join(o['text']).rstrip() + '\n```' for o in cell.outputs if o.output_type == 'stream')

def readme():
    "The text of README.md"
    cells = [shown(c) for c in read_nb(get_config().nbs_path/'index.ipynb').cells]
    text = '\n\n'.join(c for c in cells if c)
    return re.sub(r'\]\((?!https?:)([^)]+\.(?:ipynb|png))\)', r'](nbs/\1)', text) + '\n'

if __name__ == '__main__': (get_config().config_path/'README.md').write_text(readme())
