// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Weir

/// A problem document (RFC 9457), as a client reads it.
struct ProblemDocument: Decodable {
    let type: String
    let title: String
    let status: Int
    let detail: String?
    let requestID: String

    private enum CodingKeys: String, CodingKey {
        case type, title, status, detail
        case requestID = "request_id"
    }

    init(_ response: TestResponse) throws {
        self = try JSONDecoder().decode(Self.self, from: Data(response.body))
    }
}
