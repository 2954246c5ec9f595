// SPDX-License-Identifier: Apache-2.0
// The drill's load: requests begin at a constant rate, whatever becomes of those before. Run by drill.py, which reads
// the counts from standard output.

import http from "k6/http";
import { sleep } from "k6";
import { Counter } from "k6/metrics";

const rate = Number(__ENV.RATE);
const deadline = Number(__ENV.DEADLINE_MILLISECONDS);
// Clients leave at their deadline, or stay for the answer; a request that was not served is tried so often.
const givesUp = __ENV.GIVES_UP === "1";
const tries = Number(__ENV.TRIES);
const statuses = ["0", "200", "429", "500", "502", "503", "504"];

const servedInTime = new Counter("served_in_time");

// k6 keeps a sum for a status only where something is expected of it.
const thresholds = { "http_req_duration{status:200}": ["p(99)>=0"] };
for (const status of statuses) thresholds[`http_reqs{status:${status}}`] = ["count>=0"];

export const options = {
  scenarios: {
    drill: {
      executor: "constant-arrival-rate",
      rate,
      timeUnit: "1s",
      duration: `${__ENV.SECONDS}s`,
      // As many as there are requests in flight where each try takes its whole deadline, and half as many again.
      preAllocatedVUs: Math.ceil((rate * 1.5 * tries * (deadline + (tries > 1 ? 150 : 0))) / 1000),
      gracefulStop: "10s",
    },
  },
  discardResponseBodies: true,
  systemTags: ["status"],
  summaryTrendStats: ["med", "p(99)", "max"],
  thresholds,
};

export default function () {
  for (let left = tries; left > 0; left -= 1) {
    const headers = { "X-Deadline": String(Date.now() + deadline) };
    const response = http.get(__ENV.URL, { headers, timeout: givesUp ? `${deadline}ms` : "10s" });
    if (response.status === 200) {
      if (response.timings.duration <= deadline) servedInTime.add(1);
      return;
    }
    if (left > 1) sleep(0.05 + Math.random() * 0.1);
  }
}

export function handleSummary(data) {
  const count = (name) => (data.metrics[name] ? data.metrics[name].values.count : 0);
  const served = data.metrics["http_req_duration{status:200}"].values;
  return {
    stdout: JSON.stringify({
      sent: count("http_reqs"),
      dropped: count("dropped_iterations"),
      served_in_time: count("served_in_time"),
      statuses: Object.fromEntries(statuses.map((status) => [status, count(`http_reqs{status:${status}}`)])),
      served_milliseconds: { median: served["med"], p99: served["p(99)"], max: served["max"] },
    }),
  };
}
