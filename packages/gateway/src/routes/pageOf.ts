import { RefusedError } from '../http/dialectError.ts'

/** What Anthropic's clients page a list by; OpenAI's ask for none of it, and get all. */
export type PageQuery = { limit?: unknown; after_id?: unknown; before_id?: unknown }

const MAX_LIMIT = 1000

/** The part of a list that was asked for. @throws RefusedError 400 that names the parameter */
export function pageOf<Item extends { id: string }>(all: readonly Item[], query: PageQuery) {
  const limit = query.limit === undefined ? all.length : Number(query.limit)
  if (
    query.limit !== undefined &&
    !(/^[0-9]{1,4}$/.test(String(query.limit)) && limit > 0 && limit <= MAX_LIMIT)
  )
    refuse('limit', `\`limit\` must be a number from 1 to ${MAX_LIMIT}.`)
  const placeOf = (name: 'after_id' | 'before_id'): number | undefined => {
    if (query[name] === undefined) return undefined
    const place = all.findIndex(({ id }) => id === query[name])
    return place === -1 ? refuse(name, `\`${name}\` must be the id of a model in the list.`) : place
  }
  const [after, before] = [placeOf('after_id'), placeOf('before_id')]
  if (after !== undefined && before !== undefined)
    refuse('before_id', '`after_id` and `before_id` ask for two different pages.')
  const first = before === undefined ? (after ?? -1) + 1 : Math.max(0, before - limit)
  const data = all.slice(first, before ?? first + limit)
  return {
    object: 'list',
    data,
    has_more: before === undefined ? first + data.length < all.length : first > 0,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
  }
}

function refuse(param: string, message: string): never {
  throw new RefusedError({
    ...{ status: 400, type: 'invalid_request_error', code: 'invalid_query', param, message },
  })
}
