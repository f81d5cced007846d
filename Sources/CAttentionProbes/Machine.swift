public import AttentionProbesHeader
import AttentionProbes
import ProbeCommands

/// What the library computes with here.
@c @implementation
public func ap_machine(_ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!) -> ap_status {
    status {
        let room = try unsafe place(json, "json")
        unsafe room.pointee = Texts.give(try MachineInfo().json())
    }
}
