import { refuse } from './refusal.ts'

/** Deepest content of content: a picture in a document in a result of a call. */
const MAX_DEPTH = 4
/** Members under which OpenAI's dialect, and servers that speak more of it, name what is to be fetched. */
const URL_MEMBERS = ['image_url', 'video_url', 'audio_url'] as const

type Part = Record<string, unknown>

/**
 * Refuses parts of messages that an upstream would have to fetch: a document at an address, or a file that is kept in
 * the operator's account, costs what no quote was made from, and no receipt covers it. @throws Refusal
 */
export function mustCarryItsParts(messages: unknown): void {
  if (!Array.isArray(messages)) return
  for (const [at, message] of messages.entries()) {
    if (isPart(message)) checkContent(message.content, `messages[${at}].content`, 1)
  }
}

/** What is not read here is the upstream's to judge, arguments of calls above all. */
function checkContent(content: unknown, place: string, depth: number): void {
  if (!Array.isArray(content)) return
  if (depth > MAX_DEPTH) refuse(`\`${place}\` is nested too deep.`, place)
  for (const [at, part] of content.entries()) if (isPart(part)) checkPart(part, `${place}[${at}]`, depth)
}

function checkPart(part: Part, place: string, depth: number): void {
  for (const name of URL_MEMBERS) {
    const member = part[name]
    const url = isPart(member) ? member.url : member
    if (typeof url === 'string' && !/^data:/i.test(url)) refuseElsewhere(`${place}.${name}`)
  }
  const { type, file, source } = part
  if (isPart(file) && isGiven(file.file_id)) refuseElsewhere(`${place}.file`)
  if (type === 'container_upload') refuseElsewhere(`${place}.type`)
  if (isPart(source)) {
    if (source.type === 'url' || source.type === 'file') refuseElsewhere(`${place}.source`)
    checkContent(source.content, `${place}.source.content`, depth + 1)
  }
  checkContent(part.content, `${place}.content`, depth + 1)
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

function isPart(value: unknown): value is Part {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
