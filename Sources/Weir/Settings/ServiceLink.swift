// SPDX-License-Identifier: Apache-2.0
// Tells the variables that Kubernetes injects for Services ("service links") from settings. Pure.

/// The names of the variables that the kubelet injects into every pod for each Service of its namespace.
///
/// A Service called `weir` gives `WEIR_SERVICE_HOST`, `WEIR_PORT_80_TCP_ADDR` and so on, one called `weir-canary` gives
/// `WEIR_CANARY_SERVICE_HOST`: nobody chose them as settings, and a pod must start next to any Service.
package enum ServiceLink {
    /// Whether the kubelet may have injected a variable of this name.
    package static func matches(_ name: String) -> Bool {
        let words = name.split(separator: "_", omittingEmptySubsequences: false)
        guard words.first == "WEIR" else { return false }
        return isService(words.dropFirst()) || isPort(words.dropFirst())
    }

    /// `…SERVICE_HOST`, `…SERVICE_PORT`, `…SERVICE_PORT_<port's name>`.
    private static func isService(_ words: ArraySlice<Substring>) -> Bool {
        for (index, word) in zip(words.indices, words) where word == "SERVICE" {
            let rest = words[(index + 1)...]
            if rest.first == "PORT" || (rest.first == "HOST" && rest.count == 1) { return true }
        }
        return false
    }

    /// `…PORT`, `…PORT_<n>_<protocol>`, `…PORT_<n>_<protocol>_PROTO|PORT|ADDR`.
    private static func isPort(_ words: ArraySlice<Substring>) -> Bool {
        if words.last == "PORT" { return true }
        let isPart = ["PROTO", "PORT", "ADDR"].contains(words.last)
        let tail = (isPart ? words.dropLast() : words).suffix(3)
        guard tail.count == 3, tail.first == "PORT", let transport = tail.last else { return false }
        return ["TCP", "UDP", "SCTP"].contains(transport) && Int(decimal: tail[tail.startIndex + 1]) != nil
    }
}
