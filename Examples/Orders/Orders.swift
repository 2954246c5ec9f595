// SPDX-License-Identifier: Apache-2.0
// A small service to start from: orders in memory, JSON in and out, a deadline for a group of routes, and work that
// blocks on the worker pool.

import FoundationEssentials
import Weir

@main struct Orders {
    static func main() async throws {
        let app = App()  // settings from WEIR_* variables

        app.get("/ping", on: .loop) { _, _ in .text("pong") }  // declared non-blocking: runs on the event loop
        app.get("/orders/:id") { request, context in  // async: on the loop, suspends freely
            let order = try await store.order(try request.parameter("id"), until: context.deadline)
            return .json(order)
        }
        app.post("/orders", .bodyLimit(.kibibytes(64))) { request, _ in
            let order = try await store.add(request.decode(NewOrder.self).checked())
            var response = Response.json(order, status: .created)
            response.headers["Location"] = "/orders/\(order.id)"
            return response
        }
        app.post("/reports") { request, context -> Response in  // synchronous: on the worker pool, may block
            .bytes(try render(request.body.collect(upTo: .mebibytes(4))))
        }
        let limit = RouteOption.limit(.gcra(.perSecond(100), burst: 20), by: .client)
        app.group("/v1", .deadline(.seconds(2)), limit, .priority(.sheddable)) { v1 in
            v1.get("/search", use: search)
        }
        app.use(RequestID())  // middleware, composed once

        try await app.run()  // or hand `app` to a ServiceGroup: it is a Service
    }
}

let store = OrderStore()

@Sendable func search(_ request: Request, _ context: RequestContext) async throws -> Response {
    guard let item = request.query["item"] else { throw HTTPError(.badRequest, "item: a name is expected") }
    return .json(await store.orders(of: item))
}

/// How much of each item was ordered, as a table of the orders in a JSON list.
func render(_ body: [UInt8]) throws -> [UInt8] {
    guard let orders = try? JSONDecoder().decode([NewOrder].self, from: Data(body)) else {
        throw HTTPError(.badRequest, "a list of orders is expected")
    }
    var quantities: [String: Int] = [:]
    for order in orders { quantities[order.item, default: 0] += try order.checked().quantity }
    return Array(quantities.sorted { $0.key < $1.key }.map { "\($0.key)\t\($0.value)\n" }.joined().utf8)
}

struct NewOrder: Decodable {
    let item: String
    let quantity: Int

    func checked() throws -> NewOrder {
        guard (1...1000).contains(quantity) else { throw HTTPError(.unprocessableContent, "quantity: 1 to 1000") }
        return self
    }
}

struct Order: Encodable {
    let id: Int
    let item: String
    let quantity: Int
}

actor OrderStore {
    private static let ordersMax = 100_000
    private var orders: [Order] = []

    func add(_ new: NewOrder) throws -> Order {
        guard orders.count < Self.ordersMax else { throw HTTPError(.serviceUnavailable, "no more orders are taken") }
        let order = Order(id: orders.count + 1, item: new.item, quantity: new.quantity)
        orders.append(order)
        return order
    }

    /// - Throws: `CancellationError` if the caller's turn comes when nobody waits for the answer any more.
    func order(_ id: String, until deadline: ContinuousClock.Instant) throws -> Order {
        guard ContinuousClock.now < deadline else { throw CancellationError() }
        guard let number = Int(id), number > 0, number <= orders.count else {
            throw HTTPError(.notFound, "there is no order \(id)")
        }
        return orders[number - 1]
    }

    func orders(of item: String) -> [Order] {
        orders.filter { $0.item == item }
    }
}
