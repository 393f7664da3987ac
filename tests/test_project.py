"The repository is in order: notebooks clean, package and README in step with them, the audit half free of torch."
import json, os, re, shutil, subprocess, sys
from pathlib import Path
import pytest
from conftest import root

sys.path.insert(0, str(root/'tools'))
import docs, house
from readme import readme

def files(folder):
    "Content of the notebooks and modules below a folder"
    found = [*folder.glob('nbs/**/*.ipynb'), *folder.glob('machine_unlearning/**/*.py')]
    return {str(p.relative_to(folder)): p.read_bytes() for p in found if '.ipynb_checkpoints' not in p.parts}

@pytest.fixture(scope='module')
def rebuilt(tmp_path_factory):
    "A copy of the project, cleaned and exported from nothing but its notebooks"
    copy = tmp_path_factory.mktemp('project')
    for name in 'nbs', 'settings.ini', '_quarto.yml':
        source = root/name
        shutil.copytree(source, copy/name, symlinks=True) if source.is_dir() else shutil.copy(source, copy/name)
    env = {k: v for k,v in os.environ.items() if k != 'IN_TEST'} # under which nbdev_export does nothing
    run = lambda c: subprocess.run([sys.executable, '-c', f'from nbdev.{c}; {c.split()[-1]}()'], cwd=copy, env=env, check=True)
    run('clean import nbdev_clean'); run('doclinks import nbdev_export')
    return copy

def test_notebooks_clean_and_package_in_step(rebuilt):
    here,there = files(root), files(rebuilt)
    assert sorted(here) == sorted(there), 'a module without a notebook, or the other way round'
    assert [n for n in here if here[n] != there[n]] == [], 'run nbdev_clean and nbdev_export, then commit'

def test_house_rules(): assert house.main(), 'see the lines above'

def test_no_undefined_or_unused_names():
    "What an exported cell uses must be imported by an exported cell: a hidden test import does not count"
    ruff = [Path(sys.executable).with_name('ruff'), 'check', '--no-cache', '--select', 'F', '--per-file-ignores', '__init__.py:F401']
    r = subprocess.run([*ruff, *(root/n for n in ('machine_unlearning', 'tests', 'tools', 'setup.py'))], capture_output=True, text=True)
    assert r.returncode == 0, r.stdout

def test_readme_in_step():
    assert (root/'README.md').read_text() == readme(), 'run python tools/readme.py, then commit'

def test_readme_links():
    "Pictures lie in the repository, pages are made from a notebook, files of the repository exist"
    pages = {docs.plain(n) for n in docs.notebooks()}
    pictures = re.findall(r'\]\((?!https?:)([^)#]+)', readme())
    linked = re.findall(rf'\]\({docs.get_config().doc_host}/machine-unlearning/([^)#]+)\.html', readme())
    assert [p for p in pictures if not (root/p).is_file()] == []
    assert linked and [p for p in linked if p not in pages] == []

def test_every_notebook_has_its_place_in_the_sidebar():
    listed = re.findall(r'href: (\S+\.ipynb)', (root/'_quarto.yml').read_text())
    assert sorted({n.as_posix() for n in docs.notebooks()} ^ set(listed)) == []

def test_no_link_of_a_link():
    "The renderer turns names of functions into links, which breaks a link around them"
    for path in root.glob('nbs/**/*.ipynb'): assert not re.search(r'\[`\w+`\]\(', path.read_text(encoding='utf-8')), path

def test_no_output_names_a_folder_of_whoever_ran_it():
    for path in root.glob('nbs/**/*.ipynb'):
        assert not re.search(r'"\s*/[^"\s]+/(site-packages|machine_unlearning)/', path.read_text(encoding='utf-8')), path

def test_notebooks_install_the_release_that_they_belong_to():
    "A cell that installs the library, on Colab, is pinned; a page has one"
    cells = {n: [''.join(c['source']) for c in json.loads((root/'nbs'/n).read_text())['cells'] if c['cell_type'] == 'code'] for n in docs.notebooks()}
    found = {n: [s for s in sources if 'git+https' in s] for n,sources in cells.items()}
    assert max(map(len, found.values())) == 1 and sum(map(len, found.values())) > 5
    version = re.search(r'^version = (.+)$', (root/'settings.ini').read_text(), re.M)[1]
    for n,(s,) in ((n, f) for n,f in found.items() if f): assert f'/machine-unlearning@v{version}' in s, n

def test_links_to_files_of_the_repository():
    texts = [readme(), *((root/'nbs'/n).read_text() for n in docs.notebooks()), (root/'_quarto.yml').read_text()]
    files = {f for t in texts for f in re.findall(r'machine-unlearning/blob/main/([^)#"\s\\]+)', t)}
    assert len(files) > 8 and sorted(f for f in files if not (root/f).is_file()) == []

def test_audit_half_imports_no_torch():
    modules = [p.stem.partition('_')[2] for p in (root/'nbs').glob('[034]*.ipynb')]
    code = f'import importlib, sys\nfor m in {modules}:\n    importlib.import_module("machine_unlearning." + m)\n    assert "torch" not in sys.modules, m'
    r = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert modules and r.returncode == 0, r.stderr
