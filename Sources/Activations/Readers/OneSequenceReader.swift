// An array L×D alone in a file of NumPy's: one sequence, named by the file.
internal import Tensors

struct OneSequenceReader: ActivationReader {
    func recognises(_ file: TensorFile) -> Bool {
        guard let dimensions = file.statesDimensions, file.tensors["offsets"] == nil else { return false }
        // Three dimensions in an archive are a rectangle whose mask may be missing.
        return file.container == NumPyArray.self || file.container == NumPyArchive.self && dimensions != 3
    }

    func form(of file: TensorFile) -> ActivationForm {
        ActivationForm(file.named("one sequence"), isOneSequence: true)
    }

    func open(_ file: TensorFile, layers: [Int]?, allowsEmpty: Bool) throws(DataError) -> ActivationLayout {
        let matrix = try file.tokens(dimensions: 2)
        return ActivationLayout(
            batch: try file.oneSequence(matrix, allowsEmpty: allowsEmpty), tokenShape: [matrix.rows])
    }
}
