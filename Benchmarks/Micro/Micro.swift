// SPDX-License-Identifier: Apache-2.0
// Times single operations of the hot path. Use: Micro [benchmark…]; without a name it runs them all.
// Prints `name threads ns/op`: the median of several runs, per operation of each thread.
// Micro --count <operations> <benchmark> performs so many and no more, for callgrind.

@main struct Micro {
    private static var all: [Benchmark] {
        LimiterBenchmark.all + AdmissionBenchmark.all + BalancingBenchmark.all + RoutingBenchmark.all
    }

    static func main() {
        let arguments = CommandLine.arguments.dropFirst()
        guard arguments.first == "--count" else { return time(Array(arguments)) }
        guard arguments.count == 3, let operations = Int(arguments[2]), let benchmark = find(arguments[3]) else {
            return print("use: Micro --count <operations> <benchmark>")
        }
        benchmark.prepare()(0, operations)
        print("\(operations) operations")
    }

    private static func time(_ names: [String]) {
        for name in names where find(name) == nil {
            print("no benchmark is called \(name); there are: \(all.map(\.name).joined(separator: " "))")
            return
        }
        for benchmark in all where names.isEmpty || names.contains(benchmark.name) { benchmark.run() }
    }

    private static func find(_ name: String) -> Benchmark? { all.first { $0.name == name } }
}
