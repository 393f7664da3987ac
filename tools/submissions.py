"List the submissions that differ from a commit, with the Python that made each record, as json for a workflow: python tools/submissions.py COMMIT"
import json, re, subprocess, sys
from pathlib import Path

def changed(base, root='.'):
    "Folders submissions/TRACK/NAME with a file that differs; those that are gone are left out"
    r = subprocess.run(['git', 'diff', '--name-only', '-z', f'{base}...HEAD', '--', 'submissions'], cwd=root, check=True, capture_output=True, text=True)
    folders = sorted({'/'.join(n.split('/')[:3]) for n in r.stdout.split('\0') if n.count('/') >= 3})
    return [f for f in folders if any(p.is_file() for p in (Path(root)/f).rglob('*'))]

def python_of(folder, default='3.12'):
    "The Python that a record says it was made by; another where it says none that could be, which the check then tells"
    try: said = str(json.loads((folder/'record'/'record.json').read_text(encoding='utf-8'))['experiment']['python'])
    except (OSError, ValueError, KeyError, TypeError): return default
    return said if re.fullmatch(r'3\.\d\d?', said) else default

if __name__ == '__main__': print(json.dumps([dict(folder=f, python=python_of(Path(f))) for f in changed(sys.argv[1])]))
