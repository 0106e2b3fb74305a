/** Prometheus text exposition format 0.0.4: counters, gauges read at scrape time, and one latency histogram. */
const BUCKETS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

const COUNTERS = {
  requests_total: 'Paid requests accepted.',
  answers_total: 'Answers released with a durable receipt.',
  refused_total: 'Requests refused, by code.',
  node_failures_total: 'Requests that a node did not finish.',
  failovers_total: 'Requests offered to another node before a first byte, by what the last one did.',
  circuits_opened_total: 'Nodes that got a pause for failing again and again.',
  bad_receipts_total: 'Answers withheld because their receipt does not hold.',
  receipts_recovered_total: 'Receipts fetched from a node after a disconnect or a crash.',
  batches_total: 'Batches by the state they reached.',
  payments_total: 'Payments by the state they reached.',
  proofs_total: 'Proofs of zk answers, by whether they were attached.',
  data_demands_total: 'Parts of batches that somebody demanded, by what became of it.',
  grant_rows_total: 'Settlement rows of prepaid calls, by whether the deposit held all of it.',
  chain_errors_total: 'Chain calls that failed, by what they were for.',
} as const
export type CounterName = keyof typeof COUNTERS

export type Metrics = {
  count(name: CounterName, label?: string, by?: number): void
  /** Seconds from the request's arrival to the first byte of the answer. */
  observeFirstByte(seconds: number): void
  /** A gauge of the same name takes the place of the earlier one. */
  gauge(name: string, help: string, read: () => number): void
  render(): string
}

export function createMetrics(): Metrics {
  const counters = new Map<CounterName, Map<string, number>>()
  const gauges = new Map<string, { help: string; read: () => number }>()
  const buckets = new Array<number>(BUCKETS_SECONDS.length + 1).fill(0)
  let sum = 0
  let count = 0
  return {
    count(name, label = '', by = 1) {
      const series = counters.get(name) ?? new Map<string, number>()
      series.set(label, (series.get(label) ?? 0) + by)
      counters.set(name, series)
    },
    observeFirstByte(seconds) {
      const at = BUCKETS_SECONDS.findIndex((bound) => seconds <= bound)
      const index = at === -1 ? BUCKETS_SECONDS.length : at
      buckets[index] = (buckets[index] ?? 0) + 1
      sum += seconds
      count += 1
    },
    gauge: (name, help, read) => void gauges.set(name, { help, read }),
    render() {
      const lines: string[] = []
      for (const [name, help] of Object.entries(COUNTERS)) {
        lines.push(`# HELP assay_gateway_${name} ${help}`, `# TYPE assay_gateway_${name} counter`)
        const series = counters.get(name as CounterName) ?? new Map([['', 0]])
        for (const [label, value] of series) {
          lines.push(`assay_gateway_${name}${label === '' ? '' : `{kind="${label}"}`} ${value}`)
        }
      }
      for (const [name, { help, read }] of gauges) {
        lines.push(`# HELP assay_gateway_${name} ${help}`, `# TYPE assay_gateway_${name} gauge`)
        lines.push(`assay_gateway_${name} ${read()}`)
      }
      const histogram = 'assay_gateway_first_byte_seconds'
      lines.push(`# HELP ${histogram} Time to the first byte of an answer.`, `# TYPE ${histogram} histogram`)
      let cumulative = 0
      for (const [at, bound] of BUCKETS_SECONDS.entries()) {
        cumulative += buckets[at] ?? 0
        lines.push(`${histogram}_bucket{le="${bound}"} ${cumulative}`)
      }
      lines.push(
        `${histogram}_bucket{le="+Inf"} ${count}`,
        `${histogram}_sum ${sum}`,
        `${histogram}_count ${count}`,
      )
      return `${lines.join('\n')}\n`
    },
  }
}
