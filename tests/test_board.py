"What surrounds the board: which submissions a change touches, the workflow that checks them, populations as release assets."
import json, re, subprocess, sys, zipfile
import pytest, yaml
from conftest import root
from machine_unlearning.datacard import card_faults

sys.path.insert(0, str(root/'tools'))
import release, submissions

def git(folder, *args):
    who = '-c', 'user.name=x', '-c', 'user.email=x'
    return subprocess.run(['git', *who, *args], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()

def commit(folder, **files):
    "Write files, or remove them, and commit; the commit"
    for name,text in files.items():
        path = folder/name.replace('__', '/').replace('_json', '.json').replace('_py', '.py')
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink() if text is None else path.write_text(text)
    git(folder, 'add', '-A')
    git(folder, 'commit', '-qm', 'x')
    return git(folder, 'rev-parse', 'HEAD')

def test_changed_submissions(tmp_path):
    git(tmp_path, 'init', '-q')
    old,made = 'submissions__digits__old', json.dumps(dict(experiment=dict(python='3.13')))
    base = commit(tmp_path, **{f'{old}__settings_json': '{}', 'submissions__digits__gone__settings_json': '{}', 'a_py': ''})
    assert submissions.changed(base, tmp_path) == []
    commit(tmp_path, **{'submissions__digits__new one__record__record_json': made, 'submissions__digits__gone__settings_json': None, 'a_py': 'b', 'submissions__note_json': ''})
    commit(tmp_path, **{f'{old}__old_py': 'c'})
    found = submissions.changed(base, tmp_path)
    assert found == ['submissions/digits/new one', 'submissions/digits/old']
    assert [submissions.python_of(tmp_path/f) for f in found] == ['3.13', '3.12']
    (tmp_path/found[0]/'record'/'record.json').write_text(made.replace('3.13', '3.13; curl'))
    assert submissions.python_of(tmp_path/found[0]) == '3.12'
    r = subprocess.run([sys.executable, root/'tools'/'submissions.py', base], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert [s['folder'] for s in json.loads(r.stdout)] == found

def test_workflow_runs_what_exists_and_may_only_read():
    flow = yaml.safe_load((root/'.github'/'workflows'/'submissions.yml').read_text())
    assert flow['permissions'] == dict(contents='read') and flow[True] == dict(pull_request=dict(paths=['submissions/**'])) # yaml reads on as true
    steps = [s for job in flow['jobs'].values() for s in job['steps']]
    runs = '\n'.join(s.get('run', '') for s in steps)
    assert '--check' in runs and '--verify --salt' in runs and '${{' not in runs # foreign names come as variables of the shell, never as its text
    assert all(s['with']['persist-credentials'] is False for s in steps if 'checkout' in s.get('uses', ''))
    assert set(re.findall(r'\bmu_\w+', runs)) == {'mu_submit'} and 'mu_submit=' in (root/'settings.ini').read_text()
    assert (root/'tools'/'submissions.py').is_file() and 'secrets' not in str(flow)

@pytest.mark.parametrize('name', list(release.populations))
def test_populations_as_release_assets(name, tmp_path, capsys):
    release.main(tmp_path)
    archive,path = (tmp_path/f'forget-with-precision-{name.replace("_", "-")}{end}' for end in ('.zip', '.json'))
    card = json.loads(path.read_text())
    assert card_faults(card) == []
    assert capsys.readouterr().out.split() == [str(tmp_path/f'forget-with-precision-{n.replace("_", "-")}{end}') for n in release.populations for end in ('.zip', '.json')]
    assert card['distribution'][0]['contentUrl'].endswith(f'/releases/download/v{card["version"]}/{archive.name}')
    with zipfile.ZipFile(archive) as z: assert len(z.namelist()) == len(card['distribution']) - 1
