/// A way to predict labels that has nothing of what a probe is to find: what it reaches, a probe does not prove.
public enum Control: String, Sendable, Codable, CaseIterable {
    /// How many unmasked tokens a sequence has, and the logarithm of that.
    case length
    /// How often each token id occurs, under a linear probe.
    case tokenBag = "token bag"
    /// A random vector a token id in place of its hidden state, under an attention probe; the mean of four draws of
    /// vectors and seeds, which differ much.
    case tokenVectors = "token vectors"
    /// The probe itself, trained on labels that were shuffled, by whole groups where there are any; of an ensemble the mean
    /// of its parts.
    case shuffledLabels = "shuffled labels"
    /// The best of twenty random directions of the mean hidden state.
    case randomDirections = "random directions"
    /// A column that the user names.
    case confound

    /// What it shows, and what it does not, in a sentence.
    package var meaning: String {
        switch self {
        case .length:
            "What the number of tokens alone tells: where it tells much, the classes differ in length, and a probe may "
                + "read no more than that. It says nothing of shortcuts within the text."
        case .tokenBag:
            "What the words alone tell, in any order, under a linear probe: what a list of words would do as well. It "
                + "needs the words of the test data in the training data, so other words are no part of it."
        case .tokenVectors:
            "What an attention probe learns of the identity of tokens alone, as every id has a random vector: what a probe "
                + "has more comes from what the model made of the context. It does not say that this is the concept."
        case .shuffledLabels:
            "What training makes of labels that say nothing (Hewitt and Liang, 2019): on other sequences no more than "
                + "chance, or training and test data share something. It does not find shortcuts, which true labels have too."
        case .randomDirections:
            "What a direction reaches that nobody trained, the best of twenty on the training data: much where classes "
                + "differ in nearly every direction. It does not say which direction is the right one."
        case .confound:
            "What the named column alone tells. Others that nobody named may tell as much."
        }
    }
}
