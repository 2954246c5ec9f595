// SPDX-License-Identifier: Apache-2.0
// What an API server says of objects: the JSON of lists, events and refusals to values. Pure.

import FoundationEssentials

/// Reads lists and events. Nothing is half read: a document of which one part is of a wrong type is none.
package enum KubernetesJSON<Object: KubernetesObject> {
    /// A list of objects; nil where the bytes are none.
    package static func list(_ bytes: [UInt8]) -> KubernetesList<Object>? {
        guard let document = try? JSONDecoder().decode(ListDocument.self, from: Data(bytes)),
            let version = token(document.metadata.resourceVersion)
        else { return nil }
        var continuation: String?
        if let next = document.metadata.continue, !next.isEmpty {
            guard let next = token(next) else { return nil }
            continuation = next
        }
        var objects: [Object] = []
        for item in document.items ?? [] {
            guard let object = item.object else { return nil }
            objects.append(object)
        }
        return KubernetesList(objects, resourceVersion: version, continuation: continuation)
    }

    /// A line of a watch; nil where the bytes are none.
    package static func event(_ bytes: [UInt8]) -> KubernetesEvent<Object>? {
        try? JSONDecoder().decode(EventDocument.self, from: Data(bytes)).event
    }

    /// A `Status`, as the body of an answer that is a refusal; nil where the bytes are none.
    package static func status(_ bytes: [UInt8]) -> APIStatus? { APIStatus(parsing: bytes) }

    /// The longest version or continuation: they come back in the next request's target.
    private static var tokenBytesMax: Int { 4096 }

    private static func token(_ text: String?) -> String? {
        guard let text, (1...tokenBytesMax).contains(text.utf8.count) else { return nil }
        return text
    }

    // MARK: Documents

    private struct ListDocument: Decodable {
        let metadata: ListMetadata
        let items: [Object.Document]?
    }

    private struct EventDocument: Decodable {
        let event: KubernetesEvent<Object>?

        enum CodingKeys: String, CodingKey {
            case type
            case object
        }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            switch try container.decode(String.self, forKey: .type) {
            case "ADDED", "MODIFIED":
                let document = try container.decode(Object.Document.self, forKey: .object)
                guard let object = document.object, let version = token(document.metadata.resourceVersion) else {
                    event = nil
                    return
                }
                event = .changed(object, resourceVersion: version)
            case "DELETED":
                let metadata = try container.decode(BookmarkDocument.self, forKey: .object).metadata
                guard let name = metadata.name, let version = token(metadata.resourceVersion) else {
                    event = nil
                    return
                }
                event = .gone(name: Object.key(of: name, in: metadata.namespace), resourceVersion: version)
            case "BOOKMARK":
                let metadata = try container.decode(BookmarkDocument.self, forKey: .object).metadata
                event = token(metadata.resourceVersion).map { .bookmark(resourceVersion: $0) }
            case "ERROR": event = .failed(try container.decode(StatusDocument.self, forKey: .object).status)
            default: event = .unknown
            }
        }
    }
}

extension APIStatus {
    /// Reads a `Status`; nil where the bytes are none.
    package init?(parsing bytes: [UInt8]) {
        guard let document = try? JSONDecoder().decode(StatusDocument.self, from: Data(bytes)) else { return nil }
        self = document.status
    }
}

private struct ListMetadata: Decodable {
    let resourceVersion: String?
    let `continue`: String?
}

private struct BookmarkDocument: Decodable {
    let metadata: KubernetesMetadata
}

private struct StatusDocument: Decodable {
    let code: Int?
    let message: String?

    var status: APIStatus { APIStatus(code: code ?? 0, message: message ?? "") }
}
