"""The seeding of the dashboard's tests lies beside them; importlib mode does not look there by itself."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
