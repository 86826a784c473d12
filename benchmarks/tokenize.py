"""Measure how fast the tokenizers are, beside the packages they stand in for.

    python benchmarks/tokenize.py [--clips FOLDER] [--only encodec sylber mvq]

`speed.py` has it. Here is a name that is easy to find, and one of the standard library's, too: what
asks for that gets it, so that the scripts of this folder go on as if this one were not there.
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - as sys.path has it
ELSEWHERE = [path for path in sys.path if path != HERE]

if __name__ == "__main__":
    sys.path[:] = [*ELSEWHERE, HERE]
    from speed import main

    main()
elif __name__ == "tokenize":
    from importlib.machinery import PathFinder
    from importlib.util import module_from_spec

    spec = PathFinder.find_spec(__name__, ELSEWHERE)
    assert spec is not None
    assert spec.loader is not None
    sys.modules[__name__] = module_from_spec(spec)
    spec.loader.exec_module(sys.modules[__name__])
