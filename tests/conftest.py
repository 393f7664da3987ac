import os
from pathlib import Path
import pytest

root = Path(__file__).resolve().parent.parent
os.environ.setdefault('MU_SHARED', str(root.parent/'shared'))
os.environ['TQDM_DISABLE'] = '1'

long = ('unlearn/index', '05_anywhere', 'test_demo', '00_start', '16_train', '51_create_logits', '52_demo', '50_train_retain',
    '24_population', '04_colab', '02_your_method', '63_judge', '31_halves', '30_exact', 'test_dask', 'test_kernel')

def pytest_collection_modifyitems(items):
    "Begin with what takes longest, so that no worker is left with it at the end"
    items.sort(key=lambda item: not any(name in item.nodeid for name in long))

@pytest.fixture
def shared():
    "Real data for development; tests that need it are skipped where it is missing"
    folder = Path(os.environ['MU_SHARED'])/'data'
    if not folder.is_dir(): pytest.skip(f'no real data at {folder}')
    return folder
