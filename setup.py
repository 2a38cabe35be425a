"""Give those who have the package alone the book's results too."""

from setuptools import setup
from setuptools.command.build_py import build_py


class WithResults(build_py):
    """Copy book/results.csv into a package that is built, beside the module that reads it."""

    def run(self):
        """Build as ever, then copy; an editable install reads the book's own file."""
        super().run()
        if not self.editable_mode:
            self.copy_file("book/results.csv", f"{self.build_lib}/digitlab/results.csv")


setup(cmdclass={"build_py": WithResults})
