//! A table of calls with keys that are never mistaken for one another.

/// Names an item for as long as it is in the table; afterwards it names nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    index: u32,
    version: u32,
}

struct Slot<T> {
    version: u32,
    item: Option<T>,
}

/// Items by [`Key`]; slots are reused, versions are not.
pub(crate) struct Slab<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T> Slab<T> {
    #[inline]
    pub(crate) fn insert(&mut self, item: T) -> Key {
        if let Some(index) = self.free.pop() {
            let slot = &mut self.slots[index as usize];
            slot.item = Some(item);
            return Key {
                index,
                version: slot.version,
            };
        }
        self.slots.push(Slot {
            version: 0,
            item: Some(item),
        });
        Key {
            index: (self.slots.len() - 1) as u32,
            version: 0,
        }
    }

    #[inline]
    pub(crate) fn get(&mut self, key: Key) -> Option<&mut T> {
        self.slots
            .get_mut(key.index as usize)
            .filter(|slot| slot.version == key.version)?
            .item
            .as_mut()
    }

    pub(crate) fn peek(&self, key: Key) -> Option<&T> {
        self.slots
            .get(key.index as usize)
            .filter(|slot| slot.version == key.version)?
            .item
            .as_ref()
    }

    #[inline]
    pub(crate) fn remove(&mut self, key: Key) -> Option<T> {
        let slot = self
            .slots
            .get_mut(key.index as usize)
            .filter(|slot| slot.version == key.version)?;
        let item = slot.item.take()?;
        slot.version = slot.version.wrapping_add(1);
        self.free.push(key.index);
        Some(item)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        self.slots.iter().enumerate().filter_map(|(index, slot)| {
            Some((
                Key {
                    index: index as u32,
                    version: slot.version,
                },
                slot.item.as_ref()?,
            ))
        })
    }
}
