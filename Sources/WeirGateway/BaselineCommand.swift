// SPDX-License-Identifier: Apache-2.0
// `weir baseline`: what is usual for the versions of a service, and how two of them differ.

import ArgumentParser
import Weir

struct BaselineCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "baseline",
        abstract: "Shows what was usual for a version of the service, or compares two versions.",
        discussion: """
            Without a version it lists those that there are. A value of the newer version is `worse` or `better` where it \
            differs from the older one's by a quarter or more, and by enough to matter. Exits with 64 where no folder is \
            given, and with 69 where there is no such baseline or it cannot be read.
            """
    )

    @Argument(help: "A version, or the older and the newer one.")
    var versions: [String] = []

    @Option(help: "The folder of baselines; WEIR_BASELINE if not given.")
    var folder: String?

    @Flag(help: "Prints JSON.")
    var json = false

    func validate() throws {
        if versions.count > 2 { throw ValidationError("at most two versions are compared") }
    }

    func run() throws {
        let folder = try folder.map { BaselineFolder(path: $0) } ?? configured()
        do throws(BaselineFolder.Failure) {
            print(try text(folder), terminator: "")
        } catch {
            ProcessExit.unavailable.end("weir: \(error)")
        }
    }

    private func configured() throws -> BaselineFolder {
        guard let folder = BaselineFolder(ProcessStart.configuration.settings) else {
            throw ValidationError("no folder of baselines is given; set WEIR_BASELINE or --folder")
        }
        return folder
    }

    private func text(_ folder: BaselineFolder) throws(BaselineFolder.Failure) -> String {
        guard let first = versions.first else {
            let known = try folder.versions()
            return json ? BaselineReport.json(of: known) : known.map { "\($0)\n" }.joined()
        }
        guard versions.count == 2 else {
            let baseline = try folder.known(first)
            return json ? BaselineReport.json(of: baseline) : BaselineReport.text(of: baseline)
        }
        let (old, new) = (try folder.known(first), try folder.known(versions[1]))
        return json ? BaselineReport.json(comparing: old, to: new) : BaselineReport.text(comparing: old, to: new)
    }
}
