"""The 33 claims of van Meegen & Sompolinsky (2025), with the statistic and the limits that decide each.

Limits are fixed here before the samples are drawn that they judge; a number outside its limits is reported as such.
Words used throughout:

- *block contrast* of a kernel: (mean over pairs of inputs of one class - mean over pairs of different classes) / mean
  of the diagonal, pairs of an input with itself left out; 0 without structure.
- *level gap*: of the activations of a layer, the standard deviation over neurons and classes of the class means, over
  the root mean square fluctuation across inputs of a class.
- *kept codes*: share of the neurons that have the same code in the first and in the last draw.
- *outlier*: a neuron of a rectified network with |a|^2 above 0.04 N.
"""

from nonlazy.figures.claims._claim import Claim, Criterion


CLAIMS = (
    Claim(
        1,
        "Lazy: kernel nearly unstructured, activations random. Non-lazy: a strong two-block kernel for all three "
        "activation functions, alike between them.",
        "1",
        (
            Criterion("1.lazy-contrast", "largest block contrast of the three lazy kernels", high=0.05),
            Criterion("1.lazy-schemes", "lazy layers whose coding scheme is none, of 3", low=3.0, high=3.0),
            Criterion("1.contrast", "smallest block contrast of the three non-lazy kernels", low=0.2),
            Criterion("1.alike", "smallest correlation of two non-lazy kernels, off the diagonal", low=0.8),
        ),
    ),
    Claim(
        2,
        "The activations differ: analog (linear), redundant (sigmoidal), sparse (ReLU).",
        "1",
        (Criterion("2.schemes", "non-lazy layers that read as the paper says, of 3", low=3.0, high=3.0),),
    ),
    Claim(
        3,
        "Linear: readout vectors Gaussian, without visible structure; activations change continuously from "
        "weak to strong.",
        "2",
        (
            Criterion("3.kurtosis", "largest excess kurtosis, in size, of the readouts' components", high=0.3),
            Criterion("3.analog", "chains whose last draw reads analog, as a share", low=1.0),
        ),
    ),
    Claim(
        4,
        "Sigmoidal: codes 1-1-0, 1-0-1, 0-1-1 and, in a small fraction of neurons, 1-1-1; readouts positive "
        "for the classes "
        "of the code and negative for the others; fluctuations across inputs of a class remain.",
        "2",
        (
            Criterion("4.major", "smallest share of the three codes of two classes", low=0.2),
            Criterion("4.minor", "share of 1-1-1", low=0.005, high=0.1),
            Criterion("4.total", "share of all four codes together", low=0.98),
            Criterion("4.signs", "share of mean readouts (code by class) of the right sign", low=1.0),
            Criterion("4.fluctuations", "rms fluctuation of activations across inputs of a class", low=0.1),
        ),
    ),
    Claim(
        5,
        "ReLU: three outlier neurons, one a class, readout positive for it and negative for the others; the "
        "others form a "
        "largely task-agnostic bulk; outliers do not fluctuate across inputs of a class.",
        "2",
        (
            Criterion("5.outliers", "mean number of outliers over draws and chains", low=2.95, high=3.05),
            Criterion("5.signs", "share of outliers' readouts of the right sign", low=1.0),
            Criterion("5.bulk", "block contrast of the bulk's kernel", high=0.1),
            Criterion("5.fluctuations", "outliers' fluctuation across inputs of their class over their mean", high=0.1),
        ),
    ),
    Claim(
        6,
        "In all three networks the outputs match the one-hot targets.",
        "2",
        (Criterion("6.outputs", "largest rms deviation of mean outputs over y+ - y-", high=0.1),),
    ),
    Claim(
        7,
        "Three layers: the learned part of the kernel grows from layer to layer until the last shows the "
        "task; in linear "
        "networks the first layer's activations hardly show it.",
        "3",
        (
            Criterion(
                "7.grows", "networks of 3 whose block contrast grows from every layer to the next", low=3.0, high=3.0
            ),
            Criterion("7.last", "smallest block contrast of a last layer", low=0.2),
            Criterion("7.linear-first", "linear: block contrast of the first layer over that of the last", high=0.3),
        ),
    ),
    Claim(
        8,
        "Three layers, sigmoidal: codes in every layer, sharpening towards the last; five in the first, six "
        "in the others. "
        "Depth reduces the fluctuations within a class of the last layer.",
        "3",
        (
            Criterion("8.layers", "layers that read redundant, of 3", low=3.0, high=3.0),
            Criterion("8.sharpening", "smallest ratio of the level gaps of a layer and the one before", low=1.0),
            Criterion("8.first", "codes of the first layer with a share above 0.01", low=5.0, high=5.0),
            Criterion("8.second", "codes of the second layer with a share above 0.01", low=6.0, high=6.0),
            Criterion("8.third", "codes of the third layer with a share above 0.01", low=6.0, high=6.0),
            Criterion(
                "8.depth", "fluctuation within a class of the last layer over that of one hidden layer", high=0.8
            ),
        ),
    ),
    Claim(
        9,
        "Three layers, ReLU: two outliers and a bulk active on all in the first, redundant outliers in the "
        "second, three "
        "outliers, one a class, in the third. Depth brings no sharpening.",
        "3",
        (
            Criterion("9.first", "mean number of neurons of the first layer that read as outliers", low=1.5, high=2.5),
            Criterion("9.second", "mean number of neurons of the second layer that read as outliers", low=3.5),
            Criterion("9.third", "mean number of outliers of the third layer", low=2.5, high=3.5),
            Criterion("9.sharpening", "outliers' relative fluctuation, last layer over first", low=0.8),
        ),
    ),
    Claim(
        10,
        "Linear theory: U^(L+1) = sigma_a^(2L) Y^T K_0^-1 Y and K_l = K_0 + sigma_a^(2(L-l)) Y U^-(L-l+1) Y^T.",
        "3",
        (
            Criterion("10.covariance", "largest deviation of U from the theory over its largest entry", high=0.1),
            Criterion("10.kernels", "largest relative deviation of the class blocks of K_l, any layer", high=0.1),
        ),
    ),
    Claim(
        11,
        "Readout posterior: one Gaussian peak (linear), disconnected narrow peaks (sigmoidal), bulk peak and outliers "
        "(ReLU); theory and samples agree.",
        "4",
        (
            Criterion("11.linear", "linear: largest Kolmogorov distance of a readout component", high=0.05),
            Criterion("11.sigmoid", "sigmoidal, at the chains' own shares: the same", high=0.05),
            Criterion("11.relu", "ReLU: the same", high=0.05),
        ),
    ),
    Claim(
        12,
        "Readouts over sampling time: linear ones explore the whole peak; sigmoidal and ReLU ones stay on "
        "their branch.",
        "4",
        (
            Criterion("12.linear", "linear: correlation of readouts in the first and the last draw, in size", high=0.3),
            Criterion("12.sigmoid", "sigmoidal: kept codes", low=0.99),
            Criterion("12.relu", "ReLU: outliers of the first draw that are outliers in all", low=1.0),
        ),
    ),
    Claim(
        13,
        "Preactivations of features: unimodal Gaussian (linear); conditional on the code distinct, with "
        "fluctuations that "
        "persist in time (sigmoidal, bulk of ReLU); frozen for ReLU outliers.",
        "4",
        (
            Criterion("13.linear", "linear: excess kurtosis of preactivations, in size", high=0.3),
            Criterion("13.sigmoid", "sigmoidal: largest Kolmogorov distance from the theory, code by class", high=0.1),
            Criterion("13.sigmoid-time", "sigmoidal: standard deviation of a preactivation over draws", low=0.2),
            Criterion("13.relu-bulk-time", "ReLU bulk: the same", low=0.2),
            Criterion("13.relu-outlier-time", "ReLU outliers: the same over their root mean square", high=0.05),
        ),
    ),
    Claim(
        14,
        "Two layers, sigmoidal: in the feature layer neurons keep their code; in the first layer single neurons change "
        "theirs while the population's scheme stays.",
        "5",
        (
            Criterion("14.feature", "feature layer: kept codes", low=0.99),
            Criterion("14.first", "first layer: kept codes", high=0.9),
            Criterion("14.population", "first layer: total variation between shares, first and last quarter", high=0.1),
        ),
    ),
    Claim(
        15,
        "MNIST: the scheme carries over to test inputs; the test kernel is block-structured; ReLU has three "
        "outliers, one "
        "a class.",
        "6",
        (
            Criterion(
                "15.schemes", "networks of 3 whose scheme on test inputs is that on training inputs", low=3.0, high=3.0
            ),
            Criterion("15.contrast", "smallest block contrast of a test kernel", low=0.2),
            Criterion("15.outliers", "ReLU: mean number of outliers", low=2.95, high=3.05),
        ),
    ),
    Claim(
        16,
        "MNIST: the theory's mean predictor matches the samples'; sigmoidal with fluctuations neglected, ReLU with the "
        "outliers alone.",
        "6",
        (
            Criterion("16.linear", "linear: rms deviation of mean predictors on test inputs over y+ - y-", high=0.05),
            Criterion("16.sigmoid", "sigmoidal, fluctuations neglected: the same", high=0.2),
            Criterion("16.relu", "ReLU, outliers alone: the same", high=0.2),
        ),
    ),
    Claim(
        17,
        "MNIST: generalization error per class below the Gaussian process's, mainly because the predictor's "
        "variance is "
        "negligible; sigmoidal: the mean predictor is slightly better, too.",
        "6",
        (
            Criterion("17.error", "largest ratio to the Gaussian process's error, outputs and networks", high=1.0),
            Criterion("17.variance", "largest share of the predictor's variance in the error", high=0.1),
            Criterion("17.sigmoid-bias", "sigmoidal: squared error of the mean over the Gaussian process's", high=1.0),
        ),
    ),
    Claim(
        18,
        "CIFAR-10, all training images: a redundant scheme in the feature layer on training inputs that "
        "carries over to "
        "test inputs to varying degree; test accuracy 0.45.",
        "7",
        (
            Criterion(
                "18.redundant", "draws whose feature layer reads redundant on training inputs, as a share", low=1.0
            ),
            Criterion("18.test-gap", "level gap on test inputs over that on training inputs", low=0.1, high=1.0),
            Criterion("18.accuracy", "test accuracy", low=0.42, high=0.48, full_size=True),
        ),
    ),
    Claim(
        19,
        "As y- goes from 0.1 to 0.5, successive transitions between four coding schemes.",
        "s-transitions",
        (
            Criterion("19.theory", "different sets of codes in the theory", low=4.0, high=4.0),
            Criterion(
                "19.samples", "different sets of codes (shares above 0.01) of equilibrated chains", low=4.0, high=4.0
            ),
        ),
    ),
    Claim(
        20,
        "Other schemes solve the sigmoidal equations, too, but are unlikely.",
        "s-transitions",
        (
            Criterion("20.number", "other sets of codes that solve the equations to 1e-9 at y- = 0.5", low=1.0),
            Criterion("20.energy", "smallest free energy above the optimum's, times N P", low=10.0, full_size=True),
        ),
    ),
    Claim(
        21,
        "softplus and the squared ReLU give sparse coding, too.",
        "s-rectified",
        (
            Criterion("21.softplus", "softplus: chains whose last draw reads sparse, as a share", low=1.0),
            Criterion("21.requ", "squared ReLU: the same", low=1.0),
        ),
    ),
    Claim(
        22,
        "There is a critical temperature above which sigmoidal networks have no redundant code.",
        "s-temperature",
        (
            Criterion("22.theory", "critical temperature of the theory", low=1e-2, high=10.0),
            Criterion("22.below", "chains at half the critical temperature that read redundant, as a share", low=1.0),
            Criterion("22.above", "chains at twice the critical temperature that read redundant, as a share", high=0.0),
        ),
    ),
    Claim(
        23,
        "Without noise and without the regularization that depends on the number of data, a clear redundant code still "
        "emerges on the toy task.",
        "s-descent",
        (
            Criterion("23.descent", "runs whose feature layer reads redundant, as a share", low=1.0),
            Criterion("23.gap", "smallest level gap of these layers", low=2.0),
        ),
    ),
    Claim(
        24,
        "The final scheme emerges after orders of magnitude more steps than the loss needs.",
        "s-emergence",
        (
            Criterion(
                "24.ratio",
                "steps until 90 % of the neurons have their final code for good, over steps until 99 % of the loss "
                "is gone",
                low=100.0,
            ),
        ),
    ),
    Claim(
        25,
        "Randomly projected MNIST with P > N0: redundant on training inputs, good generalization. Three "
        "classes of CIFAR-10 "
        "with P = 100: redundant on training inputs, lost on test inputs, high error.",
        "s-real-data",
        (
            Criterion(
                "25.projected", "projected MNIST: chains that read redundant on training inputs, as a share", low=1.0
            ),
            Criterion("25.projected-accuracy", "projected MNIST: test accuracy", low=0.9),
            Criterion("25.cifar", "CIFAR-10: chains that read redundant on training inputs, as a share", low=1.0),
            Criterion("25.cifar-gap", "CIFAR-10: level gap on test inputs over that on training inputs", high=0.3),
            Criterion("25.cifar-accuracy", "CIFAR-10: test accuracy", high=0.65),
        ),
    ),
    Claim(
        26,
        "Neural collapse: variability within a class does not vanish, but the class means given the code form an "
        "equiangular tight frame, in sigmoidal and ReLU networks.",
        "2",
        (
            Criterion("26.sigmoid-variability", "sigmoidal: tr S_W / tr S_B", low=0.05),
            Criterion("26.relu-variability", "ReLU: tr S_W / tr S_B", low=0.05),
            Criterion("26.sigmoid-angles", "sigmoidal: spread of the cosines of centred class means", high=0.1),
            Criterion("26.relu-angles", "ReLU: the same", high=0.1),
        ),
    ),
    Claim(
        27,
        "ReLU: at least m - 1 outliers, and m where the bulk is task-agnostic.",
        "s-rectified",
        (
            Criterion("27.least", "theory: smallest number of outliers minus (m - 1) over tasks", low=0.0),
            Criterion("27.agnostic", "theory: tasks with task-agnostic bulk that have m outliers, as a share", low=1.0),
        ),
    ),
    Claim(
        28,
        "Fluctuations of the predictor are negligible in non-lazy networks, unlike in lazy ones.",
        "6",
        (
            Criterion("28.non-lazy", "non-lazy: largest share of the predictor's variance in the error", high=0.1),
            Criterion("28.lazy", "lazy: smallest share of the predictor's variance in the error", low=0.2),
        ),
    ),
    Claim(
        29,
        "Two hidden layers: the first layer's codes are frozen in ReLU networks, too, and are not in sigmoidal ones.",
        "5",
        (
            Criterion("29.relu", "ReLU, first layer: kept codes of its outliers", low=0.99),
            Criterion("29.sigmoid", "sigmoidal, first layer: kept codes", high=0.9),
        ),
    ),
    Claim(
        30,
        "Lower layers: P(z^l) = N(0, K_l) in linear networks; multimodal in sigmoidal ones, one mode a code.",
        "3",
        (
            Criterion("30.linear", "linear: excess kurtosis of lower preactivations, in size", high=0.3),
            Criterion("30.sigmoid", "sigmoidal: lower layers that read redundant, of 2", low=2.0, high=2.0),
        ),
    ),
    Claim(
        31,
        "The scheme of the last layer of a deep network is that of the network with one hidden layer.",
        "3",
        (
            Criterion("31.sigmoid", "sigmoidal: codes (shares above 0.01) of both, over those of either", low=1.0),
            Criterion("31.kinds", "networks of 3 whose last layer reads as one hidden layer does", low=3.0, high=3.0),
        ),
    ),
    Claim(
        32,
        "ReLU: a bulk and n outliers make n + 1 codes.",
        "2",
        (Criterion("32.codes", "different codes among outliers and bulk, minus outliers", low=1.0, high=1.0),),
    ),
    Claim(
        33,
        "The limits of N and P are not coupled: a redundant scheme at N = 1000 with P = 50,000.",
        "7",
        (
            Criterion(
                "33.redundant", "draws that read redundant at N = 1000, P = 50,000, as a share", low=1.0, full_size=True
            ),
        ),
    ),
)


def claims_of(figure: str) -> tuple[Claim, ...]:
    """The claims that a figure measures."""
    return tuple(claim for claim in CLAIMS if claim.figure == figure)
