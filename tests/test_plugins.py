"A package that declares a method, installed by pip into a folder of its own: commands find it, and an edited one makes new models."
import os, subprocess, sys
import pytest
from conftest import root
from machine_unlearning.layout import read_about

project = '''[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "shredder"
version = "1.0"
[project.entry-points."machine_unlearning.methods"]
shred = "shredder.methods:shred"
[tool.setuptools]
packages = ["shredder"]
'''
methods = '''from machine_unlearning.unlearn import method
@method('Shredder', reads=['retain'], paper='A plug-in', ranges=dict(lr=('log', 1e-4, 1)))
def shred(model, request, lr=.01): return request.train(model, request.retain, request.epochs, lr)
'''

@pytest.fixture(scope='module')
def site(tmp_path_factory):
    "A folder of installed packages with the plug-in"
    source,folder = tmp_path_factory.mktemp('project'), tmp_path_factory.mktemp('env')/'site-packages'
    (source/'shredder').mkdir()
    for name,text in {'pyproject.toml': project, 'shredder/__init__.py': '', 'shredder/methods.py': methods}.items(): (source/name).write_text(text)
    pip = sys.executable, '-m', 'pip', 'install', '-q', '--no-deps', '--no-index', '--no-build-isolation', '--no-compile', '--target', folder, source
    subprocess.run(pip, check=True, capture_output=True)
    assert (folder/'shredder-1.0.dist-info'/'entry_points.txt').is_file()
    return folder

def call(site, *command):
    env = os.environ | dict(PYTHONPATH=os.pathsep.join([str(site), str(root)]), PYTHONDONTWRITEBYTECODE='1')
    return subprocess.run([sys.executable, *map(str, command)], env=env, capture_output=True, text=True)

def key(site, tmp_path, name):
    "What the models of a population are told by"
    command = '-m', 'machine_unlearning.create_logits', '--approaches', 'shred', '--n', 2, '--epochs', 2, '--width', 2, '--limit', 60
    r = call(site, *command, '--out', tmp_path/name)
    assert r.returncode == 0, r.stderr
    return read_about(tmp_path/name/'shred')['key']

def test_installed_plug_in_makes_models(site, tmp_path):
    "Two processes find it without --imports; code counts, a new version does not"
    first = key(site, tmp_path, 'a')
    about = site/'shredder-1.0.dist-info'/'METADATA'
    about.write_text(about.read_text().replace('Version: 1.0', 'Version: 1.1'))
    assert key(site, tmp_path, 'b') == first
    (site/'shredder'/'methods.py').write_text(methods.replace('lr)\n', 'lr/2)\n'))
    assert key(site, tmp_path, 'c') != first

def test_broken_plug_in_breaks_nothing_else(site, tmp_path):
    (site/'shredder'/'methods.py').write_text('import a_module_that_nobody_has\n')
    r = call(site, '-m', 'machine_unlearning.create_logits', '--approaches', 'shred', '--out', tmp_path)
    said = r.stderr.splitlines()
    assert r.returncode == 2 and len(said) == 2 and "found 'shred'" in said[1]
    assert said[0].startswith('plug-in shred of shredder 1.') and said[0].endswith("left out, ModuleNotFoundError: No module named 'a_module_that_nobody_has'")
    r = call(site, '-m', 'machine_unlearning.train_retain', '--n', 2, '--epochs', 1, '--width', 2, '--limit', 60, '--workers', 2, '--out', tmp_path)
    assert r.returncode == 0 and r.stderr.count('plug-in') == 1, r.stderr
