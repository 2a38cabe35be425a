"""Give those who have the package alone the book's results too."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class WithResults(build_py):
    """Copy the tables of book/ into a package that is built, beside the module that reads them."""

    def run(self):
        """Build as ever, then copy; an editable install reads the book's own files."""
        super().run()
        if not self.editable_mode:
            for table in Path("book").glob("*.csv"):
                self.copy_file(str(table), f"{self.build_lib}/digitlab/{table.name}")


setup(cmdclass={"build_py": WithResults})
