import ProbeCommands

@main
enum Main {
    static func main() { AttnProbe.main() }
}
