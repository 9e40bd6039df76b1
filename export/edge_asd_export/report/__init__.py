"""What an export came to: `report.txt`, `report.json` and one `report.html` that opens offline."""

from __future__ import annotations

from edge_asd_export.report.text import describe
from edge_asd_export.report.write import prepare_folder, write_report

__all__ = ["describe", "prepare_folder", "write_report"]
