"""Packaging, and what Beam stages to its workers (`--setup_file ./setup.py`)."""

import sys
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))  # a build in isolation does not look here

from wavemill import __version__  # noqa: E402
from wavemill.examples import PACKED, example_files  # noqa: E402


def pack_examples(folder: Path) -> None:
    """Write the example recordings below a folder that is built."""
    for path, data in example_files():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)


class BuildWithExamples(build_py):
    """What goes into a wheel: the package, and the examples in it."""

    def run(self) -> None:
        """Build; an editable install reads the examples where they lie."""
        super().run()
        if not self.editable_mode:
            pack_examples(Path(self.build_lib) / "wavemill" / PACKED.name)


class SdistWithExamples(sdist):
    """What goes into a source distribution: the sources, and the examples of a wheel."""

    def make_release_tree(self, base_dir: str, files: list[str]) -> None:
        """Lay the files out that are packed."""
        super().make_release_tree(base_dir, files)
        pack_examples(Path(base_dir) / "examples" / "speech")


CORE = [
    "aiohttp>=3.9",
    "apache-beam>=2.77,<3",
    "av>=14",
    "click>=8.1",
    "fsspec>=2024.6",
    "numpy>=2",
    "onnxruntime>=1.20",
    "orjson>=3.10",
    "packaging>=24",
    "pyarrow>=18",
    "pyyaml>=6",
    "rich>=13.7",
    "s3fs>=2024.6",
    "safetensors>=0.5",
    "silero-vad>=6.2.3",
    "soundfile>=0.13",
    "soxr>=0.5",
    # A newer torch breaks `import torchaudio`.
    "torch>=2.9,<2.12",
    "torchaudio>=2.9,<2.12",
]
# What Beam packs `--setup_file` with; torch wants no newer setuptools.
CLUSTER = ["build>=1", "setuptools>=77,<82"]
DASK = ["dask>=2025.1", "distributed>=2025.1"]
CODECS = ["huggingface_hub>=1", "numba>=0.64", "transformers>=5.24"]
DEDUP = ["faiss-cpu>=1.15"]
HUGGINGFACE = ["datasets>=4"]
UNITS = [*CODECS, *DEDUP, "openbeats>=0.1.1"]
TRAIN = ["tensorboard>=2.17"]
WHISPER = [*CODECS, "ctranslate2>=4.5"]
ASR = ["tokenizers>=0.21"]
SCORE = ["jinja2>=3.1", "rapidfuzz>=3.9"]
CORRECT = [*ASR, "gguf>=0.17", "peft>=0.17", "transformers>=5.24"]
HYPOTHESES = [*ASR, *SCORE, *WHISPER, "pocketsphinx>=5.1", "whisper-normalizer>=0.1.15"]
REPORT = ["jinja2>=3.1", "matplotlib>=3.9", "pillow>=10.3"]
NOTEBOOK = ["ipykernel>=6.29", "matplotlib>=3.9", "nbclient>=0.10", "nbformat>=5.10"]
# mkdocs 2 is another program, which no theme or plug-in here works with.
DOCS = ["mkdocs>=1.6,<2", "mkdocs-material>=9.7", "mkdocstrings[python]>=1"]
READERS = ["lhotse>=1.33", "webdataset>=1.0.2"]
TEST = [
    *ASR,
    *CLUSTER,
    *CORRECT,
    *DASK,
    *DOCS,
    *HUGGINGFACE,
    *HYPOTHESES,
    *NOTEBOOK,
    *READERS,
    *REPORT,
    *SCORE,
    *TRAIN,
    *UNITS,
    *WHISPER,
    "flask>=3",
    "flask-cors>=5",
    "hypothesis>=6.100",
    "jiwer>=4",
    "moto[s3]>=5.1",
    "multi-quantization==0.1.1",
    "mypy>=1.15",
    "psutil>=6",
    "pytest>=8",
    "ruff>=0.9",
    "types-PyYAML",
    "vector-quantize-pytorch>=1.20",
]

setup(
    name="wavemill",
    version=__version__,
    description="Segment, tokenize and shard large audio corpora for training",
    long_description=(HERE / "README.md").read_text("utf-8"),
    long_description_content_type="text/markdown",
    # The second is that of the example recordings.
    license_expression="Apache-2.0 AND CC-BY-SA-3.0",
    license_files=["LICENSE", "examples/speech/LICENSE.txt", "examples/speech/ATTRIBUTION.md"],
    keywords=["audio", "speech", "tokenizer", "codec", "webdataset", "apache-beam", "asr"],
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Console",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3 :: Only",
        "Programming Language :: Python :: 3.11",
        "Topic :: Multimedia :: Sound/Audio :: Speech",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Typing :: Typed",
    ],
    python_requires=">=3.11",
    # Named outright, so that an editable install is a path that editors and type checkers follow.
    package_dir={"": "."},
    packages=find_packages(include=["wavemill", "wavemill.*"]),
    package_data={
        "wavemill": [
            "py.typed",
            "hypotheses/*/*.yaml",
            "hypotheses/*/*.json",
            "hypotheses/scoring/page.*",
            "pages/shell.*",
            "report/page.*",
            "tokenizers/weights/*",
        ]
    },
    cmdclass={"build_py": BuildWithExamples, "sdist": SdistWithExamples},
    install_requires=CORE,
    extras_require={
        "asr": ASR,
        "cluster": CLUSTER,
        "codecs": CODECS,
        "correct": CORRECT,
        "dask": DASK,
        "dedup": DEDUP,
        "docs": DOCS,
        "huggingface": HUGGINGFACE,
        "hypotheses": HYPOTHESES,
        "notebook": NOTEBOOK,
        "readers": READERS,
        "report": REPORT,
        "score": SCORE,
        "test": TEST,
        "train": TRAIN,
        "units": UNITS,
        "whisper": WHISPER,
    },
    entry_points={"console_scripts": ["wavemill = wavemill.__main__:run"]},
)
