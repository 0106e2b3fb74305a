/**
 * OpenTelemetry spans of a server process. Nothing of OpenTelemetry is loaded, and no call costs more than a comparison,
 * unless `OTEL_EXPORTER_OTLP_ENDPOINT` (or `…_TRACES_ENDPOINT`) says where spans go, over OTLP/HTTP. Spans name
 * identities, numbers and times; nothing that was asked or answered ever stands in one.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import type { Attributes, Span, SpanContext, Tracer } from '@opentelemetry/api'

/** Codes of `SpanKind` and `SpanStatusCode` in @opentelemetry/api, which is not loaded for them. */
const KIND = { internal: 0, server: 1, client: 2 } as const
const STATUS_ERROR = 2
/** How long the last spans may take to their collector, milliseconds; its exporter alone would try for ten seconds. */
const LAST_SPANS_MS = 3000

export type SpanOptions = {
  /** W3C traceparent; a new trace begins without one. */
  parent?: string | string[] | undefined
  kind?: keyof typeof KIND
  attributes?: Attributes
  /** Traceparents of other traces that it belongs to. */
  links?: readonly string[]
}

type Api = typeof import('@opentelemetry/api')
let tracing: { tracer: Tracer; api: Api } | undefined

/**
 * Starts to export spans where the environment asks for it.
 * @returns what sends the last ones and ends it; a collector that is away costs them, never a server its orderly end
 */
export async function startTracing(service: 'gateway' | 'node'): Promise<() => Promise<void>> {
  const { OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT } = process.env
  if (!OTEL_EXPORTER_OTLP_ENDPOINT && !OTEL_EXPORTER_OTLP_TRACES_ENDPOINT) return async () => {}
  const [api, sdk, { OTLPTraceExporter }, { defaultResource, resourceFromAttributes }] = await Promise.all([
    import('@opentelemetry/api'),
    import('@opentelemetry/sdk-trace'),
    import('@opentelemetry/exporter-trace-otlp-http'),
    import('@opentelemetry/resources'),
  ])
  const named = resourceFromAttributes({ 'service.namespace': 'assay', 'service.name': `assay-${service}` })
  const provider = new sdk.TracerProvider({
    resource: defaultResource().merge(named),
    spanProcessors: [new sdk.BatchSpanProcessor({ exporter: new OTLPTraceExporter() })],
  })
  tracing = { tracer: provider.getTracer('assay'), api }
  return async () => {
    tracing = undefined
    const sent = provider.shutdown().catch(() => undefined)
    await Promise.race([sent, delay(LAST_SPANS_MS, undefined, { ref: false })])
  }
}

/** Whether spans go anywhere. */
export const isTracing = (): boolean => tracing !== undefined

/** A span that has begun; undefined where nothing is traced. */
export function startSpan(name: string, options: SpanOptions = {}): Span | undefined {
  if (tracing === undefined) return undefined
  const { tracer, api } = tracing
  const { parent, kind = 'internal', attributes = {}, links = [] } = options
  const above = contextOf(parent)
  const root = api.ROOT_CONTEXT
  return tracer.startSpan(
    name,
    {
      kind: KIND[kind],
      attributes,
      links: links.flatMap((link) => {
        const context = contextOf(link)
        return context === undefined ? [] : [{ context }]
      }),
    },
    above === undefined ? root : api.trace.setSpanContext(root, above),
  )
}

/** Ends a span, as failed where there is an error; of that only its class or code, for messages may quote a request. */
export function endSpan(span: Span | undefined, error?: unknown): void {
  if (error !== undefined) {
    const { code, name } = error as { code?: unknown; name?: unknown }
    span?.setStatus({ code: STATUS_ERROR, message: String(code ?? name ?? 'unknown') })
  }
  span?.end()
}

/** Runs work under a span. */
export async function inSpan<Result>(
  name: string,
  options: SpanOptions,
  work: () => Promise<Result>,
): Promise<Result> {
  const span = startSpan(name, options)
  if (span === undefined) return work()
  try {
    const result = await work()
    endSpan(span)
    return result
  } catch (error) {
    endSpan(span, error)
    throw error
  }
}

/**
 * A span over a whole exchange, from the request's head to the end of its answer. It takes the place of the client's
 * `traceparent` in the request's headers, so that whoever reads it there stands below this span.
 */
export function traceExchange(request: IncomingMessage, response: ServerResponse): void {
  const path = (request.url ?? '/').split('?')[0] ?? '/'
  const span = startSpan(`${request.method} ${path}`, {
    kind: 'server',
    parent: request.headers.traceparent,
    attributes: { 'http.request.method': request.method ?? '', 'url.path': path },
  })
  if (span === undefined) return
  request.headers.traceparent = traceparentOf(span)
  response.once('close', () => {
    span.setAttribute('http.response.status_code', response.statusCode)
    if (response.statusCode >= 500 || !response.writableFinished) span.setStatus({ code: STATUS_ERROR })
    span.end()
  })
}

/** W3C Trace Context §3.2. */
export function traceparentOf(span: Span): string {
  const { traceId, spanId, traceFlags } = span.spanContext()
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`
}

function contextOf(traceparent: string | string[] | undefined): SpanContext | undefined {
  if (typeof traceparent !== 'string') return undefined
  const read = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/.exec(traceparent)
  if (read === null) return undefined
  const [, traceId = '', spanId = '', flags = ''] = read
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true }
}
