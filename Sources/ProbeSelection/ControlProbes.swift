package import Probes
private import Synchronization

/// The probes of controls that were trained on some data, so that several tests need one training of each.
package final class ControlProbes: Sendable {
    private struct Key: Hashable {
        let control: Control
        let number, width: Int
    }
    private let probes = Mutex<[Key: Probe]>([:])

    /// None yet.
    package init() {}

    /// A probe of a control, trained where it is not there.
    ///
    /// - Parameters:
    ///   - number: which of those of the control.
    ///   - width: that of its states.
    package func probe(
        _ control: Control, _ number: Int, width: Int, train: () throws -> Probe
    ) rethrows -> Probe {
        let key = Key(control: control, number: number, width: width)
        if let probe = probes.withLock({ $0[key] }) { return probe }
        let probe = try train()
        probes.withLock { $0[key] = probe }
        return probe
    }
}
