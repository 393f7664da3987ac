"Check the style of the notebooks: width of lines, sizes of export cells, docstrings; prints what is over, of all notebooks or of those with a word in their path."
import ast, json, re, statistics, sys
from pathlib import Path

root = Path(__file__).resolve().parent.parent
widest, longest, median = 120, 25, 6 # characters of a line, lines of a body, and of half of all bodies
no_verb = 'A An The What How Whether Why Where When Which Who All Every Everything One Some This These'.split()

def definitions(tree):
    "Functions and classes, and the methods of the classes"
    for node in tree.body:
        if not isinstance(node, (ast.FunctionDef, ast.ClassDef)): continue
        yield node
        if isinstance(node, ast.ClassDef): yield from definitions(node)

def heads(node):
    "Numbers of the lines that make up the decorators, signature and docstring of a definition"
    first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
    said = ast.get_docstring(node, clean=False) is not None
    last = node.body[0].end_lineno if said else max(node.lineno, node.body[0].lineno - 1)
    return range(first, last + 1) if last > node.lineno or said else range(first, first) # all on one line is body

def body_size(source):
    "Lines of a cell that are neither blank nor comments, signatures or docstrings; 0 for imports alone"
    tree = ast.parse(source)
    if all(isinstance(s, (ast.Import, ast.ImportFrom)) for s in tree.body): return 0
    head = {i for node in definitions(tree) for i in heads(node)}
    lines = enumerate(source.splitlines(), 1)
    return sum(bool(l.strip()) and not l.strip().startswith('#') and i not in head for i,l in lines)

def complaints(source):
    "What is wrong with the docstrings of the public definitions in a cell"
    for node in definitions(ast.parse(source)):
        if node.name.startswith('_'): continue
        said = (ast.get_docstring(node) or '').split('\n')[0]
        first = re.match(r'\w+', said)
        if not said: yield f'{node.name}: no docstring'
        elif isinstance(node, ast.FunctionDef) and first and first[0] in no_verb: yield f'{node.name}: no verb first in "{said[:60]}"'

def look(path):
    "What is over in a notebook, and the sizes of its export cells"
    wrong,sizes = [], []
    for c in json.loads(path.read_text())['cells']:
        source = ''.join(c['source'])
        if c['cell_type'] != 'code': continue
        wrong += [f'{len(l)} characters: {l[:60]}…' for l in source.splitlines() if len(l) > widest and not l.startswith('#| fig-alt')]
        if not re.search(r'^#\|\s*export\b', source, re.M): continue
        n = body_size(source)
        sizes += [n]*bool(n)
        if n > longest: wrong.append(f'an export cell of {n} lines, at most {longest}: {source.splitlines()[1][:60]}')
        wrong += complaints(source)
    return wrong, sizes

def main(only=''):
    "Print all that is over; returns whether nothing is"
    found,sizes = [], []
    for p in sorted((root/'nbs').rglob('*.ipynb')):
        if '.ipynb_checkpoints' in p.parts or only not in str(p): continue
        wrong,n = look(p)
        found += [f'{p.relative_to(root)}: {w}' for w in wrong]
        sizes += n
    middle = statistics.median(sizes or [0])
    if not only and middle > median: found.append(f'the median body of an export cell is {middle:g} lines, at most {median}')
    print('\n'.join(found + [f'{len(sizes)} export cells, median body {middle:g} lines, longest {max(sizes, default=0)}; {len(found)} over']))
    return not found

if __name__ == '__main__': sys.exit(not main(*sys.argv[1:]))
