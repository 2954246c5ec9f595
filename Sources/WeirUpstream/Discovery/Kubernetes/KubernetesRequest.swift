// SPDX-License-Identifier: Apache-2.0
// The bytes of a request to an API server. A value; pure.

/// Who asks which server.
package struct KubernetesRequest: Sendable {
    private let host: String
    private let token: String?

    /// - Parameters:
    ///   - host: the server's name and port.
    ///   - token: the service account's; nil for nobody.
    package init(to host: String, token: String?) {
        self.host = host
        self.token = token
    }

    /// Asks for `target`, which is percent-encoded already.
    package func get(_ target: String) -> [UInt8] { Array((head("GET", target) + "\r\n").utf8) }

    /// Sends JSON: an object that is to be, or a change of one.
    package func send(_ method: String, _ target: String, _ body: [UInt8], type: String) -> [UInt8] {
        let fields = "Content-Type: \(type)\r\nContent-Length: \(body.count)\r\n"
        return Array((head(method, target) + fields + "\r\n").utf8) + body
    }

    private func head(_ method: String, _ target: String) -> String {
        var head = "\(method) \(target) HTTP/1.1\r\nHost: \(host)\r\n"
        head += "Accept: application/json\r\nUser-Agent: weir\r\n"
        if let token { head += "Authorization: Bearer \(token)\r\n" }
        return head
    }
}
