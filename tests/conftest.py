import os
from pathlib import Path
import pytest

root = Path(__file__).resolve().parent.parent
os.environ.setdefault('MU_SHARED', str(root.parent/'shared'))
os.environ['TQDM_DISABLE'] = '1'

@pytest.fixture
def shared():
    "Real data for development; tests that need it are skipped where it is missing"
    folder = Path(os.environ['MU_SHARED'])/'data'
    if not folder.is_dir(): pytest.skip(f'no real data at {folder}')
    return folder
