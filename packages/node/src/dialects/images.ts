import type { Part } from '../engines/engine.ts'
import { type Fields, objectAt, onlyMembers, textAt } from './fields.ts'
import { refuse } from './refusal.ts'

/** A picture inside the request. One behind an address would be fetched from a place that no receipt covers. */
export function dataUrlAt(value: unknown, param: string): Part {
  const url = textAt(value, param)
  const match = /^data:(image\/(?:png|jpeg|gif|webp));base64,([A-Za-z0-9+/]+={0,2})$/.exec(url)
  if (match === null) {
    refuse(
      `\`${param}\` must be a data: URL of a PNG, JPEG, GIF or WebP picture.`,
      param,
      'unsupported_value',
    )
  }
  return { type: 'image', mediaType: match[1] as string, base64: match[2] as string }
}

/** `detail` has to be there by the types of responses; "auto" leaves it to the model, which is all that is done. */
export function onlyAutoDetail(image: Fields, place: string): void {
  const { detail = null } = image
  if (detail === null || detail === 'auto') return
  refuse(`\`${place}.detail\` can only be "auto".`, `${place}.detail`, 'unsupported_value')
}

/** A picture as Anthropic writes it: `{type: 'base64', media_type, data}`. */
export function imageSourceAt(value: unknown, param: string): Part {
  const source = objectAt(value, param)
  if (source.type !== 'base64') {
    refuse(`\`${param}.type\` must be "base64".`, `${param}.type`, 'unsupported_value')
  }
  onlyMembers(source, ['type', 'media_type', 'data'], param)
  const mediaType = textAt(source.media_type, `${param}.media_type`, 64)
  return dataUrlAt(`data:${mediaType};base64,${textAt(source.data, `${param}.data`)}`, param)
}
