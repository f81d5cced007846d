// A linear probe on mean-pooled states along the difference of the means μ₋ and μ₊ of two classes, with the
// boundary half way:
//
//     w = μ₊ - μ₋           b = -w·(μ₊ + μ₋)/2                    (Marks and Tegmark, 2023)

extension ProbeKind {
    /// The difference of the classes' means.
    public static let massMean = ProbeKind("mass-mean", pooling: .mean) { kind in
        kind.closedForm = ClosedForm(countsClassSizes: false) { states in
            states.parameters(weights: states.difference)
        }
    }
}
