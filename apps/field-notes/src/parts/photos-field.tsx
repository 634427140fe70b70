import { useId } from 'react';
import type { Photo } from '../model/note.ts';
import { fullTimeWords, sizeWords } from '../words/time-words.ts';
import { Icon } from './icon.tsx';

export interface PhotosFieldProps {
  readonly photos: readonly Photo[];
  readonly onChange: (photos: readonly Photo[]) => void;
}

/** Which photos belong to a note. Only what is known of them is kept: the files stay where they are. */
export function PhotosField({ photos, onChange }: PhotosFieldProps) {
  const titleId = useId();
  const add = (files: FileList | null): void => {
    const added = [...(files ?? [])].map(({ name, size, lastModified }) => ({
      name,
      sizeBytes: size,
      takenAt: lastModified,
    }));
    if (added.length > 0) onChange([...photos, ...added]);
  };
  return (
    <div role="group" aria-labelledby={titleId}>
      <span className="label" id={titleId}>
        Photos
      </span>
      {photos.length > 0 && (
        <ul className="photos">
          {photos.map((photo, index) => (
            <li key={`${photo.name} ${photo.takenAt} ${index}`}>
              <Icon name="camera" />
              <span className="photo-name">{photo.name}</span>
              <span className="faint">
                {sizeWords(photo.sizeBytes)} · {fullTimeWords(photo.takenAt)}
              </span>
              <button
                type="button"
                className="plain"
                aria-label={`Remove ${photo.name}`}
                onClick={() => onChange(photos.filter((_, other) => other !== index))}
              >
                <Icon name="remove" />
              </button>
            </li>
          ))}
        </ul>
      )}
      <label className="file">
        <input
          type="file"
          accept="image/*"
          multiple
          onChange={(event) => {
            add(event.target.files);
            event.target.value = '';
          }}
        />
        <span className="button">
          <Icon name="camera" />
          Add photos
        </span>
      </label>
      <p className="faint">
        Name, size and date are kept with the note; the files stay in your camera.
      </p>
    </div>
  );
}
