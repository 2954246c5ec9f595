// SPDX-License-Identifier: Apache-2.0
// A small service to start from: orders in memory, JSON in and out, a deadline for a group of routes, and work that
// blocks on the worker pool.

import Weir

@main struct Orders {
    static func main() async throws {
        let app = App()
        let store = OrderStore()

        app.use(RequestID())

        app.get("/ping", on: .loop) { _, _ in .text("pong\n") }

        app.group("/v1", .deadline(.seconds(2)), .bodyLimit(.kibibytes(64))) { v1 in
            v1.post("/orders") { request, _ in
                let order = try await store.add(request.decode(NewOrder.self).checked())
                var response = Response.json(order, status: .created)
                response.headers["Location"] = "/v1/orders/\(order.id)"
                return response
            }

            v1.get("/orders/:id") { request, _ in
                let id = try request.parameter("id", as: Int.self)
                guard let order = await store.order(id) else { throw HTTPError(.notFound, "there is no order \(id)") }
                return .json(order)
            }

            v1.get("/search") { request, _ in
                guard let item = request.query["item"] else { throw HTTPError(.badRequest, "item: a name is expected") }
                return .json(await store.orders(of: item))
            }
        }

        // Synchronous, so it runs on the worker pool, where it may block; its body is whole when it starts.
        app.post("/reports", .bodyLimit(.mebibytes(4))) { request, context -> Response in
            let orders = try request.decode([NewOrder].self)
            return .text(try Report(orders, isCancelled: { context.isCancelled }).text)
        }

        try await app.run()
    }
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

    func order(_ id: Int) -> Order? {
        orders.indices.contains(id - 1) ? orders[id - 1] : nil
    }

    func orders(of item: String) -> [Order] {
        orders.filter { $0.item == item }
    }
}

/// How much of each item was ordered, as a table.
struct Report {
    let text: String

    /// - Throws: `CancellationError` as soon as nobody waits for the report any more.
    init(_ orders: [NewOrder], isCancelled: () -> Bool) throws {
        var quantities: [String: Int] = [:]
        for order in orders {
            if isCancelled() { throw CancellationError() }
            quantities[order.item, default: 0] += try order.checked().quantity
        }
        text = quantities.sorted { $0.key < $1.key }.map { "\($0.key)\t\($0.value)\n" }.joined()
    }
}
