// SPDX-License-Identifier: Apache-2.0
// Limits that count by a parameter of the path: which of them can hold. Pure.

import WeirFlow
import WeirRouting

extension RateLimit {
    /// The name of the path parameter that it counts by; nil where it counts by something else.
    var parameter: String? {
        if case .parameter(let name) = limit.key { name } else { nil }
    }

    /// Why the limit holds for no request of these paths; nil where it holds for some.
    func keyFault(paths: [String]) -> String? {
        guard let parameter else { return nil }
        var known: [String] = []
        for path in paths {
            let names = (try? RouteTableBuilder.parameterNames(of: path)) ?? []
            if names.contains(parameter) { return nil }
            known += names.filter { !known.contains($0) }
        }
        let shown = SettingsError.oneLine(parameter)
        return known.isEmpty
            ? "no path of it has a parameter, so none is called \(shown); expected another by"
            : "no path of it has the parameter \(shown); expected one of \(known.joined(separator: ", "))"
    }
}
