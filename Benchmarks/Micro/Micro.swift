// SPDX-License-Identifier: Apache-2.0
// Times single operations of the hot path. Use: Micro [benchmark…]; without a name it runs them all.
// Prints `name threads ns/op`: the median of several runs, per operation of each thread.

@main struct Micro {
    static func main() {
        let all = LimiterBenchmark.all + AdmissionBenchmark.all + BalancingBenchmark.all
        let names = CommandLine.arguments.dropFirst()
        for name in names where !all.contains(where: { $0.name == name }) {
            print("no benchmark is called \(name); there are: \(all.map(\.name).joined(separator: " "))")
            return
        }
        for benchmark in all where names.isEmpty || names.contains(benchmark.name) { benchmark.run() }
    }
}
