import { refuse } from './refusal.ts'

/** Deepest content of content: a picture in a document in a result of a call. */
const MAX_DEPTH = 4
/** Members under which OpenAI's dialect, and servers that speak more of it, name what is to be fetched. */
const URL_MEMBERS = ['image_url', 'video_url', 'audio_url'] as const

export type Part = Record<string, unknown>

/**
 * Refuses parts of messages that an upstream would have to fetch: a document at an address, or a file that is kept in
 * the operator's account, costs what no quote was made from, and no receipt covers it. @throws Refusal
 */
export function mustCarryItsParts(messages: unknown): void {
  for (const [place, part] of partsOfMessages(messages)) checkPart(part, place)
}

/** Each part of each message under its place. @throws Refusal where they are nested too deep */
export function* partsOfMessages(messages: unknown): Generator<[place: string, part: Part]> {
  if (!Array.isArray(messages)) return
  for (const [at, message] of messages.entries()) {
    if (isPart(message)) yield* partsIn(message.content, `messages[${at}].content`)
  }
}

/** Parts of a content and those inside of them. Whatever else they hold is the upstream's to judge, arguments of calls above all. */
export function* partsIn(content: unknown, place: string, depth = 1): Generator<[place: string, part: Part]> {
  if (!Array.isArray(content)) return
  if (depth > MAX_DEPTH) refuse(`\`${place}\` is nested too deep.`, place)
  for (const [at, part] of content.entries()) {
    if (!isPart(part)) continue
    const here = `${place}[${at}]`
    yield [here, part]
    if (isPart(part.source)) yield* partsIn(part.source.content, `${here}.source.content`, depth + 1)
    yield* partsIn(part.content, `${here}.content`, depth + 1)
  }
}

function checkPart(part: Part, place: string): void {
  for (const name of URL_MEMBERS) {
    const member = part[name]
    const url = isPart(member) ? member.url : member
    if (typeof url === 'string' && !/^data:/i.test(url)) refuseElsewhere(`${place}.${name}`)
  }
  const { type, file, source } = part
  if (isPart(file) && isGiven(file.file_id)) refuseElsewhere(`${place}.file`)
  if (type === 'container_upload') refuseElsewhere(`${place}.type`)
  if (isPart(source) && (source.type === 'url' || source.type === 'file')) refuseElsewhere(`${place}.source`)
}

function refuseElsewhere(place: string): never {
  return refuse(
    `\`${place}\` lies elsewhere; send what it holds inside the request.`,
    place,
    'unsupported_value',
  )
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null
}

export function isPart(value: unknown): value is Part {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
