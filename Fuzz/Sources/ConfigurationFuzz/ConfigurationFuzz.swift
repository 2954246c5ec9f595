// SPDX-License-Identifier: Apache-2.0
// Any bytes as a configuration file: refused in one line with a place in the file, or a configuration whose routes an app
// takes, and whose settings, written as variables, say the same.

import Weir
import WeirYAML

private let file = "weir.yaml"

@c(LLVMFuzzerTestOneInput)
public func fuzzConfiguration(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    // libFuzzer's memory, valid and constant during this call.
    let text = unsafe Array(UnsafeBufferPointer(start: start, count: count))
    guard let root = try? YAMLReader.read(text) else { return 0 }
    let document = ConfigurationDocument(file: file, root: root)
    do throws(SettingsError) {
        let configuration = try GatewayConfiguration(environment: [:], document: document)
        check(configuration)
        let again = try GatewayConfiguration(environment: [:], document: document)
        precondition(again == configuration, "read twice, it is another configuration")
    } catch {
        let place = error.description.split(separator: ":", maxSplits: 3)
        precondition(!error.description.contains { $0.isNewline }, "a fault of several lines")
        guard place.count == 4, place[0] == file, let line = Int(place[1]), let column = Int(place[2]) else {
            preconditionFailure("a fault without a place: \(error)")
        }
        // YAML has other ends of lines beside CR and LF; none is without a byte.
        precondition((1...1 + text.count).contains(line) && column >= 1, "a place elsewhere")
    }
    return 0
}

private func check(_ configuration: GatewayConfiguration) {
    let names = configuration.upstreams.map(\.name)
    precondition(Set(names).count == names.count && names.count <= UpstreamConfiguration.countMax, "an upstream twice")
    precondition(configuration.routes.count <= RouteConfiguration.countMax, "more routes than the most")
    for route in configuration.routes {
        guard case .forward(let shares) = route.action else { continue }
        precondition(shares.contains { $0.weight > 0 }, "a route to nowhere")
        for share in shares { precondition(configuration.upstream(share.upstream) != nil, "a route to a stranger") }
    }
    checkSettings(configuration.settings)
    do throws(AppError) {
        try App(configuration).validate()
    } catch {
        // Files, names and stores that are not here are none of the fuzzer's.
        precondition(!error.description.isEmpty && !error.description.contains { $0.isNewline }, "not one line")
        if case .routes(let text) = error { preconditionFailure("the file's check has let it through: \(text)") }
    }
}

private func checkSettings(_ settings: Settings) {
    var environment: [String: String] = [:]
    for setting in Settings.table where !setting.text(settings).isEmpty {
        environment[setting.name] = setting.text(settings)
    }
    do throws(SettingsError) {
        let again = try Settings(environment: environment)
        for setting in Settings.table {
            precondition(setting.text(again) == setting.text(settings), "written, \(setting.name) is another")
        }
    } catch {
        preconditionFailure("written, it is refused: \(error)")
    }
}
