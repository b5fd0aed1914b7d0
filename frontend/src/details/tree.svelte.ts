/** The tree of what a product holds, refers to and is referred to by: loaded as it is opened. */

import type { Api } from '../lib/api';
import { productPath } from '../lib/api';
import { bytes, plural } from '../lib/format';
import type { DatasetInfo } from '../lib/types';
import type { FullProduct, FullVersion, TreeChild } from './about';

export type Sort = 'product' | 'dataset' | 'group' | 'more' | 'lost';

export interface Branch {
  label: string;
  sort: Sort;
  /** Beside the label, softer. */
  note: string;
  /** The product that it is, or that holds the dataset. */
  ref: string | null;
  /** Path of the dataset. */
  dataset: string | null;
  tags: string[];
  /** Loads what is below; null where there is nothing. */
  load: (() => Promise<Branch[]>) | null;
  /** Of `more`: the branches that it stands for. */
  rest?: Branch[];
}

export class Node {
  readonly id: string;
  readonly branch: Branch;
  readonly level: number;
  readonly parent: Node | null;
  open = $state(false);
  loading = $state(false);
  below: Node[] | null = $state.raw(null);

  constructor(branch: Branch, parent: Node | null, place: number) {
    this.branch = branch;
    this.parent = parent;
    this.level = parent ? parent.level + 1 : 1;
    this.id = parent ? `${parent.id}-${place}` : `${place}`;
  }

  async show(open: boolean): Promise<void> {
    this.open = open && this.branch.load !== null;
    if (!this.open || this.below !== null || this.loading) return;
    this.loading = true;
    try {
      const found = (await this.branch.load?.()) ?? [];
      this.below = found.map((one, i) => new Node(one, this, i));
    } catch (error) {
      this.open = false;
      throw error;
    } finally {
      this.loading = false;
    }
  }

  /** Put the branches that a "More…" stands for in its place. */
  spread(): Node | undefined {
    const { parent, branch } = this;
    if (!parent?.below || !branch.rest) return undefined;
    const kept = parent.below.filter((one) => one !== this);
    const added = branch.rest.map((one, i) => new Node(one, parent, kept.length + i + 1));
    parent.below = [...kept, ...added];
    return added[0];
  }
}

/** All nodes in sight, from top to bottom. */
export function inSight(nodes: readonly Node[]): Node[] {
  return nodes.flatMap((node) => [node, ...(node.open && node.below ? inSight(node.below) : [])]);
}

/** How many versions, or products that refer to it, are shown before "More…". */
const FIRST = 5;

function cut(branches: Branch[]): Branch[] {
  if (branches.length <= FIRST + 1) return branches;
  const rest = branches.slice(FIRST);
  const more = { ...EMPTY, label: 'More…', note: `${rest.length} more`, sort: 'more' as const, rest };
  return [...branches.slice(0, FIRST), more];
}

const EMPTY: Branch = {
  label: '', sort: 'group', note: '', ref: null, dataset: null, tags: [], load: null,
}; // prettier-ignore

/** What is below a product: datasets, references, versions, what refers to it. */
export async function contents(api: Api, ref: string): Promise<Branch[]> {
  const product = (await api.product(ref)) as FullProduct;
  const found: Branch[] = [];
  if (product.datasets.length) found.push(datasets(product));
  if (product.references) {
    const told = await api.get<{ children: TreeChild[]; total: number }>(
      productPath(ref, 'children'), { count: 2000 },
    ); // prettier-ignore
    found.push(...told.children.map((child) => child2branch(api, child, child.role)));
  }
  found.push({
    ...EMPTY,
    label: `Versions (current version is ${product.version})`,
    load: async () => cut((await api.versions(ref)).map((one) => versionBranch(api, one as FullVersion))),
  });
  found.push({
    ...EMPTY,
    label: 'Referenced by',
    load: async () => {
      const told = await api.get<{ parents: TreeChild[] }>(productPath(ref, 'parents'));
      const branches = told.parents.map((one) => child2branch(api, one, ''));
      return branches.length ? cut(branches) : [{ ...EMPTY, label: 'nothing', sort: 'lost' }];
    },
  });
  return found;
}

function datasets(product: FullProduct): Branch {
  return {
    ...EMPTY,
    label: 'Datasets',
    note: String(product.datasets.length),
    load: () => Promise.resolve(within(product, '')),
  };
}

/** Datasets right below a path, those of composites in branches of their own. */
export function within(product: Pick<FullProduct, 'ref' | 'datasets'>, above: string): Branch[] {
  const composites = product.datasets.filter((one) => one.class === 'composite');
  const start = above ? above + '/' : '';
  return product.datasets
    .filter((one) => one.path.startsWith(start) && one.path !== above)
    .filter(
      (one) =>
        !composites.some(
          (other) => other.path.length > above.length && one.path.startsWith(other.path + '/'),
        ),
    )
    .map((one) => ({
      ...EMPTY,
      label: one.path.slice(start.length),
      sort: 'dataset' as const,
      note: shape(one),
      ref: product.ref,
      dataset: one.path,
      load: one.class === 'composite' ? () => Promise.resolve(within(product, one.path)) : null,
    }));
}

function shape(one: DatasetInfo): string {
  if (one.class === 'composite') return 'composite';
  if (one.class === 'table') return plural(one.rows ?? 0, 'row');
  const unit = one.unit ? ` ${one.unit}` : '';
  return `${(one.shape ?? []).join(' × ')} ${one.dtype ?? ''}${unit}`;
}

function child2branch(api: Api, child: TreeChild, role: string): Branch {
  const { ref } = child;
  if (ref === null) {
    return { ...EMPTY, label: role || child.name, sort: 'lost', note: `${child.external}, not in this pool` };
  }
  const kind = child.type && child.type !== 'Unknown' ? `${child.kind} ${child.type}` : child.kind;
  const parts = [kind, bytes(child.context ? child.total_size : child.size)];
  if (child.latest === false) parts.push(`version ${child.version}`);
  return {
    label: role || `${child.name}@${child.version}`,
    sort: 'product',
    note: parts.join(', '),
    ref,
    dataset: null,
    tags: child.tags ?? [],
    load: () => contents(api, ref),
  };
}

function versionBranch(api: Api, one: FullVersion): Branch {
  return {
    ...EMPTY,
    label: `version ${one.version}`,
    sort: one.purged ? 'lost' : 'product',
    note: one.saved.slice(0, 10) + (one.message ? `, ${one.message}` : ''),
    ref: one.purged ? null : one.ref,
    tags: one.tags,
    load: one.purged ? null : () => contents(api, one.ref),
  };
}
