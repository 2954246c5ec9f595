// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Weir

/// A problem document (RFC 9457), as a client reads it.
struct ProblemDocument: Decodable {
    let type: String
    let title: String
    let status: Int
    let detail: String?
    let request_id: String

    init(_ response: TestResponse) throws {
        self = try JSONDecoder().decode(Self.self, from: Data(response.body))
    }
}
