"""Tasks: inputs, targets and labels, generated, downloaded or the user's own."""

from nonlazy.tasks._arrays import from_arrays as from_arrays, from_npz as from_npz
from nonlazy.tasks._cifar10 import cifar10 as cifar10
from nonlazy.tasks._image_folder import image_folder as image_folder
from nonlazy.tasks._mnist import mnist as mnist
from nonlazy.tasks._random_projection import random_projection as random_projection
from nonlazy.tasks._targets import one_hot as one_hot
from nonlazy.tasks._task import Task as Task
from nonlazy.tasks._toy import toy as toy
