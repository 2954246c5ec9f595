// SPDX-License-Identifier: Apache-2.0
// A lookup's result as plain values, for comparing and printing.

import WeirRouting

/// What a router says to one request.
struct Answer: Equatable, CustomStringConvertible {
    enum Kind: Equatable { case found, automaticOptions, methodNotAllowed, notFound, invalid }

    var kind: Kind
    var route: Int?
    var parameters: [String] = []
    var allowed: MethodSet = []
    var isAutomaticHead = false

    var description: String {
        "\(kind) route \(route ?? -1) \(parameters) allow \"\(allowed.allowHeader)\" head \(isAutomaticHead)"
    }
}
