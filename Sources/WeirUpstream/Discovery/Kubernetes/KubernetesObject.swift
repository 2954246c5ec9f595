// SPDX-License-Identifier: Apache-2.0
// What a list and a watch of an API server are about, whatever the kind of its objects. Values.

/// An object of a cluster, as much of it as somebody needs.
package protocol KubernetesObject: Sendable, Equatable {
    /// How it stands in JSON.
    associatedtype Document: KubernetesDocument where Document.Object == Self

    /// What its table knows it by.
    var key: String { get }

    static func key(of name: String, in namespace: String?) -> String
}

/// The JSON of an object.
package protocol KubernetesDocument: Decodable {
    associatedtype Object
    var metadata: KubernetesMetadata { get }
    /// Nil for what is no such object.
    var object: Object? { get }
}

/// What every object has.
package struct KubernetesMetadata: Decodable, Sendable {
    package let name: String?
    package let namespace: String?
    package let uid: String?
    package let resourceVersion: String?
    package let labels: [String: String]?
    package let annotations: [String: String]?
    package let deletionTimestamp: String?
}

/// A page of a list of objects.
package struct KubernetesList<Object: KubernetesObject>: Sendable, Equatable {
    package var objects: [Object]
    /// The state of the cluster that the list is of, from which a watch goes on.
    package var resourceVersion: String
    /// What the next page is asked for with; nil for the last.
    package var continuation: String?

    package init(_ objects: [Object], resourceVersion: String, continuation: String? = nil) {
        self.objects = objects
        self.resourceVersion = resourceVersion
        self.continuation = continuation
    }
}

/// A line of a watch.
package enum KubernetesEvent<Object: KubernetesObject>: Sendable, Equatable {
    /// An object is new, or another: `ADDED` or `MODIFIED`.
    case changed(Object, resourceVersion: String)
    /// An object is gone: `DELETED`, with its table's key.
    case gone(name: String, resourceVersion: String)
    /// Nothing but how far the watch has come: `BOOKMARK`.
    case bookmark(resourceVersion: String)
    /// The watch cannot go on: `ERROR`, with the status that it brings.
    case failed(APIStatus)
    /// Of a kind that is not known, and means nothing to us.
    case unknown
}

/// What an API server says of a request that it does not answer as was asked.
package struct APIStatus: Sendable, Equatable {
    /// As in HTTP; 0 where it is not said.
    package var code: Int
    package var message: String

    package init(code: Int, message: String) {
        self.code = code
        self.message = message
    }
}

/// What came of an event.
package enum KubernetesOutcome: Sendable, Equatable {
    case changed
    case unchanged
    /// The server no longer knows what has happened since: everything is to be listed again.
    case expired
    case failed(APIStatus)
    /// There are more than may be.
    case tooMany

    /// What an error that a watch brings comes to.
    package init(_ status: APIStatus) {
        self = status.code == Self.goneStatus ? .expired : .failed(status)
    }

    /// `410 Gone`: a resource version that is too old.
    package static let goneStatus = 410
}

/// Objects as they are now, from a list and the events behind it.
package protocol KubernetesTable: Sendable {
    associatedtype Object: KubernetesObject

    /// From which a watch goes on; nil where there was no list yet.
    var resourceVersion: String? { get }
    /// Takes over a page of a list; false where it has more than may be.
    mutating func add(_ page: KubernetesList<Object>) -> Bool
    mutating func apply(_ event: KubernetesEvent<Object>) -> KubernetesOutcome
}

/// What an API server is asked for, and what is said where it does not answer.
package protocol KubernetesQuery: Sendable {
    associatedtype Table: KubernetesTable
    /// A version of the API.
    associatedtype Version: Sendable, Equatable

    /// The version that is asked for first.
    static var present: Version { get }
    /// Without objects.
    var emptyTable: Table { get }
    /// What its objects are called: `endpointslices`.
    var subject: String { get }

    /// The version that is asked for where a server does not know this one; the same where there is no other.
    func other(than version: Version) -> Version
    /// A page of the objects as they are now, behind `continuation` if that is given.
    func list(_ version: Version, continuation: String?, token: String?) -> [UInt8]
    /// What happens from `resourceVersion` on, for so many seconds.
    func watch(_ version: Version, from resourceVersion: String, seconds: UInt64, token: String?) -> [UInt8]

    /// 403.
    func forbidden(verb: String, message: String) -> KubernetesProblem
    /// No version is there.
    func unknown(server: String) -> KubernetesProblem
    /// More objects than its tables hold.
    var tooMany: KubernetesProblem { get }
}
