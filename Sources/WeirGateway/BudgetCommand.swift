// SPDX-License-Identifier: Apache-2.0
// `weir budget`: what the pod may use, who says so, and what is made of it.

import ArgumentParser
import Weir

struct BudgetCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "budget",
        abstract: "Prints what the pod may use of CPUs, memory, descriptors and tasks, and who says so.",
        discussion: """
            Every source with what it said and what that means; a `*` is before the one that decided. Below are the sizes \
            that a start would use, from the settings or from the budget. What cannot be read is said and does not count. \
            See docs/budget.md.
            """
    )

    @Flag(help: "Prints JSON.")
    var json = false

    @Option(help: "The folder that stands for /, such as one with files that were copied from another machine.")
    var root = "/"

    func run() {
        let settings = ProcessStart.configuration.settings
        // A gateway that is told of no upstream has the demo behind it.
        let report = BudgetReport(PodBudget.read(settings, hasUpstreams: true, root: root))
        print(json ? report.json : report.text, terminator: "")
    }
}
