import multiprocessing, os
from pathlib import Path
import pytest

root = Path(__file__).resolve().parent.parent
os.environ.setdefault('MU_SHARED', str(root.parent/'shared'))
os.environ['TQDM_DISABLE'] = '1'

context = multiprocessing.get_context('forkserver') # imports what all processes need once, and forks them from there
context.set_forkserver_preload(['torch', 'pandas', 'seaborn', 'scipy.stats', 'sklearn.datasets', 'nbdev.test', 'fastcore.test'])

@pytest.fixture
def shared():
    "Real data for development; tests that need it are skipped where it is missing"
    folder = Path(os.environ['MU_SHARED'])/'data'
    if not folder.is_dir(): pytest.skip(f'no real data at {folder}')
    return folder
