"Build the site and check its links and pictures: nbdev's processors, then Quarto where it is installed and smalldocs elsewhere."
import ast, dataclasses, functools, importlib, inspect, itertools, os, re, shutil, subprocess, sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote
from execnb.nbio import read_nb, write_nb
from nbdev.config import get_config
from nbdev.quarto import refresh_quarto_yml
from nbdev.serve import proc_nbs
from machine_unlearning.audit.columns import typeset

def fields(cls):
    "Return the head of a class and its fields with their comments, as the source has them"
    lines = inspect.getsource(cls).splitlines()
    start = next(i for i,l in enumerate(lines) if l.startswith('class '))
    body = itertools.takewhile(lambda l: l.strip() and not l.strip().startswith(('def ', '@')), lines[start+1:])
    return '\n'.join([lines[start], *[l for l in body if not l.strip().startswith('"')]])

def patched(node):
    "Name a function as the docs do: one with `@patch` belongs to the class of its first argument"
    if not any(isinstance(d, ast.Name) and d.id.startswith('patch') for d in node.decorator_list): return node.name
    return f'{ast.unparse(node.args.args[0].annotation)}.{node.name}'

@functools.cache
def lines_of(path):
    "Find the line of every function, class and method that a module defines"
    tree = ast.parse(Path(path).read_text(encoding='utf-8'))
    found = {patched(n): n.lineno for n in tree.body if isinstance(n, ast.FunctionDef)}
    for c in (n for n in tree.body if isinstance(n, ast.ClassDef)):
        found[c.name] = c.lineno
        found |= {f'{c.name}.{m.name}': m.lineno for m in c.body if isinstance(m, ast.FunctionDef)}
    return found

def source_link(module, name):
    "Link a name of a module of this project to its line on the repository's page; None where the module defines no such name"
    cfg = get_config()
    path = cfg.config_path/(module.replace('.', '/') + '.py')
    path = path if path.is_file() else path.with_suffix('')/'__init__.py'
    line = lines_of(path).get(name)
    return line and f'{cfg.git_url}/blob/{cfg.branch}/{path.relative_to(cfg.config_path).as_posix()}#L{line}'

def documented(text, module):
    "Put the page of one function or class right: fields explained, no links inside code, commands as code, and its own line as the source"
    text = re.sub(r'(?<=Example: )(mu_[^*`\n]+)(?=\*)', r'`\1`', text) # else a renderer makes one dash of two
    code = re.compile(r'```python.*?```', re.S)
    text = code.sub(lambda m: re.sub(r'\[(`[^`]*`)\]\([^)]*\)', r'\1', m[0]), text)
    name = re.search(r'^### (\S+)', text, re.M)
    if not name: return text
    thing = getattr(importlib.import_module(module), name[1], None)
    of_class = inspect.isclass(thing) and (dataclasses.is_dataclass(thing) or '*args' in text)
    if of_class: text = code.sub(lambda m: f'```python\n{fields(thing)}\n```', text)
    home = thing.__module__ if (inspect.isclass(thing) or inspect.isfunction(thing)) else module
    source = source_link(home if home.startswith(get_config().lib_name) else module, name[1])
    link = re.compile(r'<a href="[^"]*"([^>]*>source</a>)|\[source\]\([^)]*\)\{?[^}\n]*\}?')
    return link.sub(lambda m: f'[source]({source})' if source else '', text)

def is_check(node):
    "Tell whether a statement only tests"
    if isinstance(node, ast.For): return all(map(is_check, node.body))
    called = getattr(getattr(node, 'value', None), 'func', None)
    return isinstance(node, ast.Assert) or getattr(called, 'id', '').startswith('test_')

def unchecked(source):
    "Take the statements that only test out of the source of a cell"
    tree,lines = ast.parse(source).body, source.splitlines()
    def covered(check): return {i for n in tree if is_check(n) == check for i in range(n.lineno - 1, n.end_lineno)}
    gone = covered(True) - covered(False)
    return '\n'.join(l for i,l in enumerate(lines) if i not in gone).strip()

def fold(nb):
    "Fold the code of a page of results: checks are left out, and a cell without output joins the next one that has some"
    cells,code = [], []
    for c in nb.cells:
        if c.cell_type == 'code' and '#| code-fold' not in c.source: # else the cell says so itself
            options = re.findall(r'^#\|.*\n', c.source, re.M)
            code.append(unchecked(c.source.removeprefix(''.join(options))))
            if not c.get('outputs'): continue
            c.source = '#| code-fold: true\n' + ''.join(options) + '\n\n'.join(filter(None, code))
            code = []
        cells.append(c)
    nb.cells = cells

def headed(table):
    "Put the name of an index, for which pandas makes a row of its own, beside the other heads"
    named = re.compile(r'(<tr[^>]*>\s*)<th></th>((?:(?!</tr>).)*</tr>)\s*<tr>\s*<th>([^<]+)</th>(?:\s*<th></th>)*\s*</tr>\s*</thead>', re.S)
    return named.sub(r'\1<th>\3</th>\2\n  </thead>', table)

def readable(table):
    "Write the cells of a table as a page does: what was not measured is empty, numbers have a true minus, cells that hold words are marked"
    table = re.sub(r'<td>([^<]*)</td>', lambda m: f'<td>{typeset(m[1]) if m[1] != "NaN" else ""}</td>', table)
    return re.sub(r'<td>(?=[^<]*[A-Za-z]{4})', '<td class="words">', headed(table))

def tidy(proc):
    "Put right in processed notebooks what nbdev and pandas leave: documentation of functions, tables, code of results"
    cfg = get_config()
    for p in proc.glob('**/*.ipynb'):
        nb = read_nb(p)
        sources = '\n'.join(c.source for c in read_nb(cfg.nbs_path/p.relative_to(proc)).cells)
        name = re.search(r'#\|\s*default_exp (\S+)', sources)
        module = name and f'{cfg.lib_name}.{name[1]}'.removesuffix('.__init__')
        for data in (o.data for c in nb.cells for o in c.get('outputs', []) if 'data' in o):
            shown = ''.join(data.get('text/markdown', ''))
            if module and shown: data['text/markdown'] = documented(shown, module)
            table = ''.join(data.get('text/html', ''))
            if table: data['text/html'] = readable(table)
        if p.parent.name == 'results': fold(nb)
        write_nb(nb, p)

def render(proc):
    "Render the processed notebooks; returns the folder with the pages"
    tool = ['quarto', 'render'] if shutil.which('quarto') else [str(Path(sys.executable).with_name('smalldocs')), 'render', '.']
    r = subprocess.run(tool, cwd=proc, text=True, capture_output=True)
    if r.returncode: sys.exit(f'{" ".join(tool)} failed:\n{r.stdout}{r.stderr}')
    return proc/get_config().doc_path.name

class Tags(HTMLParser):
    "The tags of a page that lead somewhere or show a picture; code that is shown is text and holds none"
    def __init__(self, path):
        super().__init__()
        self.links,self.images = [], []
        self.feed(Path(path).read_text(encoding='utf-8'))

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if target := attrs.get('href') or attrs.get('src'): self.links.append(target)
        if tag == 'img': self.images.append(attrs)

tags_of = functools.cache(Tags) # two checks look at every page

def broken(site):
    "Find links between pages, and images, that lead nowhere, and links to a source without a line"
    for p in sorted(site.glob('**/*.html')):
        for link in tags_of(p).links:
            if link.endswith('#LNone'): yield p.relative_to(site), link
            path = unquote(re.split('[#?]', link)[0])
            if not path or re.match(r'[a-z]+:|//', path): continue # this page, or elsewhere on the web, or inline
            target = site/path.lstrip('/') if path.startswith('/') else p.parent/path
            if not target.exists(): yield p.relative_to(site), link

def nameless(site):
    "Find pictures without alt text: a cell with a figure needs `#| fig-alt: \"what is seen\"`"
    for p in sorted(site.glob('**/*.html')):
        for image in tags_of(p).images:
            if not (image.get('alt') or '').strip(): yield p.relative_to(site), image.get('src', '')[:60]

def plain(path):
    "Name a page or notebook without its suffix and the number in front, which Quarto drops and smalldocs keeps"
    path = Path(path).with_suffix('')
    return path.with_name(re.sub(r'^\d+[a-z]?_', '', path.name)).as_posix()

def pageless(notebooks, site):
    "Find notebooks, given relative to their folder, that no page of the site was made from"
    pages = {plain(p.relative_to(site)) for p in site.glob('**/*.html')}
    return sorted(str(n) for n in notebooks if plain(n) not in pages)

def notebooks():
    "List the notebooks of the project, relative to their folder"
    folder = get_config().nbs_path
    return [p.relative_to(folder) for p in folder.glob('**/*.ipynb') if '.ipynb_checkpoints' not in p.parts]

def main():
    "Build and check"
    cfg = get_config()
    os.environ['PYTHONWARNINGS'] = 'error::UserWarning:nbdev.processors' # an import beside other code would run alone
    refresh_quarto_yml()
    shutil.rmtree(cfg.config_path/'_proc', ignore_errors=True)
    proc = proc_nbs(n_workers=2)
    tidy(proc)
    site = render(proc)
    if missing := pageless(notebooks(), site): sys.exit(f'no page for {", ".join(missing)}')
    for what,found in ('broken links', broken(site)), ('pictures without alt text', nameless(site)):
        if lines := [f'{p}: {detail}' for p,detail in found]: sys.exit(f'{what}:\n' + '\n'.join(lines))
    print(f'docs: {len(list(site.glob("**/*.html")))} pages in {site}')

if __name__ == '__main__': main()
