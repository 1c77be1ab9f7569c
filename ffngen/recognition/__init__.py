"""Micro-expression recognition: reading the sets, motion from onset to apex, classifiers, leave-one-subject-out."""

from ffngen.recognition.annotated import ReadOptions
from ffngen.recognition.folds import Fold, leave_one_subject_out
from ffngen.recognition.labels import LABEL_MAPS, LabelMap, apply_labels, open_label_map
from ffngen.recognition.read import DATASETS, read_samples
from ffngen.recognition.sample import Remark, Sample, SampleSet

__all__ = [
    "DATASETS",
    "LABEL_MAPS",
    "Fold",
    "LabelMap",
    "ReadOptions",
    "Remark",
    "Sample",
    "SampleSet",
    "apply_labels",
    "leave_one_subject_out",
    "open_label_map",
    "read_samples",
]
