"What `tools/docs.py` asks of a site, on small sites as Quarto and as smalldocs make them."
import ast, re, sys
from pathlib import Path
import numpy as np, pandas as pd, pytest
from execnb.nbio import dict2nb, mk_cell
from conftest import root

sys.path.insert(0, str(root/'tools'))
import docs

code = '<pre class="sourceCode"><code>re.findall(<span class="st">\'href="http\'</span>) &lt;img src="none.png"&gt;</code></pre>'
shapes = dict(quarto=('attack.html', 'audit/memory.html'), smalldocs=('21_attack.html', 'audit/07_memory.html'))

def make(folder, pages, body=''):
    "Write pages that link to each other and show a picture"
    (folder/'pic.png').write_bytes(b'x')
    for p in pages:
        up = '../'*p.count('/')
        links = ''.join(f'<a href="{up}{q}#top">x</a>' for q in pages)
        (folder/p).parent.mkdir(exist_ok=True)
        (folder/p).write_text(f'<html><body>{links}<img src="{up}pic.png" alt="a point">{code}{body}</body></html>')
    return folder

@pytest.mark.parametrize('shape', shapes)
def test_a_good_site_of_either_shape(tmp_path, shape):
    site = make(tmp_path, shapes[shape])
    assert list(docs.broken(site)) == [] and list(docs.nameless(site)) == []
    assert docs.pageless([Path('21_attack.ipynb'), Path('audit/07_memory.ipynb')], site) == []

@pytest.mark.parametrize('shape', shapes)
def test_what_is_missing_is_found(tmp_path, shape):
    lost = '<a href="gone.html">x</a><img src="https://e.org/x.png"><a href="https://g.org/b/core.py#LNone">source</a>'
    site = make(tmp_path, shapes[shape][:1], lost)
    page = Path(shapes[shape][0])
    assert list(docs.broken(site)) == [(page, 'gone.html'), (page, 'https://g.org/b/core.py#LNone')]
    assert list(docs.nameless(site)) == [(page, 'https://e.org/x.png')]
    assert docs.pageless([Path('21_attack.ipynb'), Path('audit/07_memory.ipynb')], site) == ['audit/07_memory.ipynb']

def test_names_without_numbers():
    assert [docs.plain(p) for p in ('index.ipynb', '00_core.html', 'audit/07b_memory.ipynb', '2023.html')] == ['index', 'core', 'audit/memory', '2023']
    names = [docs.plain(n) for n in docs.notebooks()]
    assert len(set(names)) == len(names), 'two notebooks of a folder would have one page'

def test_source_links_lead_to_the_definition():
    for module,name in ('core', 'atomic'), ('attack', 'Attack'), ('plan', 'Plan.register'), ('unlearn.core', 'Method'):
        link = docs.source_link(f'machine_unlearning.{module}', name)
        path,line = re.fullmatch(r'.*/blob/main/(.*)#L(\d+)', link).groups()
        assert re.match(rf'\s*(def|class) {name.rpartition(".")[2]}\b', (root/path).read_text().splitlines()[int(line)-1])
    assert docs.source_link('machine_unlearning.core', 'nothing') is None

def test_commands_in_docstrings_are_code():
    assert docs.documented('*Make it. Example: mu_demo --n 4*', 'machine_unlearning.core') == '*Make it. Example: `mu_demo --n 4`*'

def test_patched_methods_are_found(tmp_path):
    tree = ast.parse('@patch\ndef run(self:Plan, n): pass')
    assert docs.patched(tree.body[0]) == 'Plan.run'

def test_tables_read_as_pages_do():
    t = pd.DataFrame(dict(left=[-.5, np.nan], k=[np.inf, 2], said=['lost', 'p = 0.1']), pd.Index(['ct', 'kde'], name='approach'))
    table = docs.readable(t.to_html())
    assert re.findall(r'<th>(.*?)</th>', table.partition('</thead>')[0]) == ['approach', 'left', 'k', 'said']
    assert re.findall(r'<td.*?>(.*?)</td>', table) == ['−0.5', '∞', 'lost', '', '2.0', 'p = 0.1']
    assert re.findall(r'<td class="words">(.*?)<', table) == ['lost']
    for other in t.reset_index(), t.T, pd.concat([t, t], keys=[*'ab']): assert docs.headed(other.to_html()) == other.to_html()

def test_code_of_results_is_folded_and_checks_are_left_out():
    quiet = mk_cell('t = 1\nassert t == 1\nfor i in range(2): test_eq(i, i)\ntest_eq(t,\n    1); test_ne(t, 2)')
    loud = mk_cell('#| fig-alt: "a: b"\nu = 2; assert u\nt + u')
    loud.outputs = [dict(output_type='stream', name='stdout', text='3')]
    own = mk_cell('#| code-fold: true\nassert t')
    nb = dict2nb(dict(cells=[quiet, mk_cell('prose', 'markdown'), loud, mk_cell('assert u == 2'), own], metadata={}))
    docs.fold(nb)
    assert [c.cell_type for c in nb.cells] == ['markdown', 'code', 'code'] and nb.cells[2].source == own.source
    assert nb.cells[1].source == '#| code-fold: true\n#| fig-alt: "a: b"\nt = 1\n\nu = 2; assert u\nt + u'
