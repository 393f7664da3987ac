"Build the site and check its links and pictures: nbdev's processors, then Quarto where it is installed and smalldocs elsewhere."
import dataclasses, importlib, inspect, itertools, os, re, shutil, subprocess, sys
from pathlib import Path
from execnb.nbio import read_nb, write_nb
from nbdev.config import get_config
from nbdev.doclinks import NbdevLookup
from nbdev.quarto import refresh_quarto_yml
from nbdev.serve import proc_nbs

def fields(cls):
    "The head of a class and its fields with their comments, as the source has them"
    lines = inspect.getsource(cls).splitlines()
    start = next(i for i,l in enumerate(lines) if l.startswith('class '))
    body = itertools.takewhile(lambda l: l.strip() and not l.strip().startswith(('def ', '@')), lines[start+1:])
    return '\n'.join([lines[start], *[l for l in body if not l.strip().startswith('"')]])

def documented(text, module, lookup):
    "The page of one function or class: fields explained, no links inside code, and the source in this module where others have a thing of that name"
    text = re.sub(r'```python.*?```', lambda m: re.sub(r'\[(`[^`]*`)\]\([^)]*\)', r'\1', m[0]), text, flags=re.S)
    name = re.search(r'^### (\S+)', text, re.M)
    if not name: return text
    thing = getattr(importlib.import_module(module), name[1], None)
    if inspect.isclass(thing) and (dataclasses.is_dataclass(thing) or '*args' in text): text = re.sub(r'```python.*?```', lambda m: f'```python\n{fields(thing)}\n```', text, flags=re.S)
    source = lookup.code(f'{module}.{name[1]}')
    return re.sub(r'\[source\]\([^)]*\)', f'[source]({source})', text) if source else text

def tidy(proc):
    "Put right in processed notebooks what nbdev and pandas leave: documentation of functions, and cells of tables that hold words"
    cfg,lookup = get_config(), NbdevLookup()
    for p in proc.glob('**/*.ipynb'):
        nb = read_nb(p)
        name = re.search(r'#\|\s*default_exp (\S+)', '\n'.join(c.source for c in read_nb(cfg.nbs_path/p.relative_to(proc)).cells))
        for data in (o.data for c in nb.cells for o in c.get('outputs', []) if 'data' in o):
            if name and 'text/markdown' in data: data['text/markdown'] = documented(''.join(data['text/markdown']), f'{cfg.lib_name}.{name[1]}', lookup)
            if 'text/html' in data: data['text/html'] = re.sub(r'<td>(?=[^<]*[A-Za-z]{4})', '<td class="words">', ''.join(data['text/html']))
        write_nb(nb, p)

def render(proc):
    "Render the processed notebooks; returns the folder with the pages"
    tool = ['quarto', 'render'] if shutil.which('quarto') else [str(Path(sys.executable).with_name('smalldocs')), 'render', '.']
    r = subprocess.run(tool, cwd=proc, text=True, capture_output=True)
    if r.returncode: sys.exit(f'{" ".join(tool)} failed:\n{r.stdout}{r.stderr}')
    return proc/get_config().doc_path.name

def broken(site):
    "Links between pages and images that lead nowhere"
    pages = {p.relative_to(site) for p in site.glob('**/*.html')}
    for p in sorted(pages):
        for link in re.findall(r'(?:href|src)="([^"#?]+)[^"]*"', (site/p).read_text()):
            if re.match(r'[a-z]+:|//', link): continue # elsewhere on the web, or inline
            target = site/link.lstrip('/') if link.startswith('/') else (site/p).parent/link
            if not target.exists(): yield p, link

def nameless(site):
    "Pictures without alt text: a cell with a figure needs `#| fig-alt: \"what is seen\"`"
    for p in sorted(site.glob('**/*.html')):
        for image in re.findall(r'<img [^>]*>', p.read_text()):
            if not re.search(r'alt="[^"]', image): yield p.relative_to(site), image[:60]

def main():
    cfg = get_config()
    os.environ['PYTHONWARNINGS'] = 'error::UserWarning:nbdev' # an import beside other code would run alone
    refresh_quarto_yml()
    shutil.rmtree(cfg.config_path/'_proc', ignore_errors=True)
    proc = proc_nbs(n_workers=2)
    tidy(proc)
    site = render(proc)
    pages = {str(p.relative_to(site).with_suffix('')) for p in site.glob('**/*.html')}
    missing = {str(p.relative_to(cfg.nbs_path).with_suffix('')) for p in cfg.nbs_path.glob('**/*.ipynb') if '.ipynb_checkpoints' not in p.parts} - pages
    if missing: sys.exit(f'no page for {", ".join(sorted(missing))}')
    for what,found in ('broken links', broken(site)), ('pictures without alt text', nameless(site)):
        if lines := [f'{p}: {detail}' for p,detail in found]: sys.exit(f'{what}:\n' + '\n'.join(lines))
    print(f'docs: {len(pages)} pages in {site}')

if __name__ == '__main__': main()
