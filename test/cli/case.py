"""What all tests of ./capos share: a tree, and how an error has to look."""

import unittest

from tree import Tree


class CliCase(unittest.TestCase):
    def setUp(self) -> None:
        self.tree = Tree()
        self.addCleanup(self.tree.__exit__)

    def assert_error(self, outcome: tuple[int, str], *texts: str, status: int = 1) -> None:
        """Failed with `status`, without a traceback, saying what happened and how to go on."""
        found, output = outcome
        self.assertNotIn("Traceback", output)
        self.assertEqual(found, status, output)
        for text in texts:
            self.assertIn(text, output)
        if status == 1:
            self.assertIn("capos: ", output)
            self.assertIn("how to go on: ", output)
