-- Third set over Chinook.

-- count: how many tracks belong to the Rock genre?
select count(*) from Track t join Genre g on g.GenreId = t.GenreId where g.Name = 'Rock';

-- count: how many different composers are there?
select count(distinct Composer) from Track;

-- count: number of songs by Deep Purple
select count(*) from Track t join Album b on b.AlbumId = t.AlbumId join Artist a on a.ArtistId = b.ArtistId where a.Name = 'Deep Purple';

-- count: how many customers live in London?
select count(*) from Customer where City = 'London';

-- metric: how much did customer 6 spend?
select sum(Total) from Invoice where CustomerId = 6;

-- metric: total invoice amount in 2021
null;

-- metric: total length of all Jazz tracks
select sum(t.Milliseconds) from Track t join Genre g on g.GenreId = t.GenreId where g.Name = 'Jazz';

-- metric: average length of tracks by Iron Maiden in minutes
select avg(t.Milliseconds) / 60000.0 from Track t join Album b on b.AlbumId = t.AlbumId join Artist a on a.ArtistId = b.ArtistId where a.Name = 'Iron Maiden';

-- group: total sales per customer
select CustomerId, sum(Total) from Invoice group by 1;

-- group: number of tracks by composer
select Composer, count(*) from Track group by 1;

-- group: customers by city
select City, count(*) from Customer group by 1;

-- group: sales by media type and year
select m.Name, strftime('%Y', i.InvoiceDate), sum(l.UnitPrice * l.Quantity) from InvoiceLine l join Invoice i on i.InvoiceId = l.InvoiceId join Track t on t.TrackId = l.TrackId join MediaType m on m.MediaTypeId = t.MediaTypeId group by m.MediaTypeId, 2;

-- topn: top 3 albums by number of tracks
select b.AlbumId, count(*) n from Track t join Album b on b.AlbumId = t.AlbumId group by 1 order by n desc limit 3;

-- topn: 5 customers with the highest total sales
select CustomerId, sum(Total) s from Invoice group by 1 order by s desc, 1 limit 5;

-- topn: top 10 best selling tracks
select TrackId, sum(Quantity) s from InvoiceLine group by 1 order by s desc, 1 limit 10;

-- superlative: which artist has the most tracks?
select a.Name, count(*) n from Track t join Album b on b.AlbumId = t.AlbumId join Artist a on a.ArtistId = b.ArtistId group by a.ArtistId order by n desc limit 1;

-- superlative: in which year were sales highest?
select strftime('%Y', InvoiceDate), sum(Total) s from Invoice group by 1 order by s desc limit 1;

-- superlative: which support rep has the most sales?
select c.SupportRepId, sum(i.Total) s from Invoice i join Customer c on c.CustomerId = i.CustomerId group by 1 order by s desc limit 1;

-- superlative: what is the longest Rock track?
select t.Name from Track t join Genre g on g.GenreId = t.GenreId where g.Name = 'Rock' order by Milliseconds desc limit 1;

-- trend: quarterly sales in 2024
select strftime('%Y', InvoiceDate) || '-Q' || ((cast(strftime('%m', InvoiceDate) as integer) + 2) / 3), sum(Total) from Invoice where InvoiceDate like '2024%' group by 1;

-- anti: customers who did not buy anything in 2025
select CustomerId from Customer c where not exists (select 1 from Invoice i where i.CustomerId = c.CustomerId and i.InvoiceDate like '2025%');

-- anti: genres without tracks
select GenreId from Genre g where not exists (select 1 from Track t where t.GenreId = g.GenreId);

-- anti: employees without customers
select EmployeeId from Employee e where not exists (select 1 from Customer c where c.SupportRepId = e.EmployeeId);

-- having: cities with more than one customer
select City from Customer group by 1 having count(*) > 1;

-- having: customers with more than 6 invoices in 2024
select CustomerId from Invoice where InvoiceDate like '2024%' group by 1 having count(*) > 6;

-- having: albums with fewer than 3 tracks
select AlbumId from Track group by 1 having count(*) < 3;

-- having: composers with more than 20 tracks
select Composer from Track where Composer is not null group by 1 having count(*) > 20;

-- share: what percentage of tracks are longer than 5 minutes?
select 100.0 * sum(Milliseconds > 300000) / count(*) from Track;

-- share: share of customers by country
select Country, 100.0 * count(*) / (select count(*) from Customer) from Customer group by 1;

-- nested: average sales per customer
select avg(s) from (select CustomerId, sum(Total) s from Invoice group by 1);

-- nested: average number of customers per support rep
select avg(n) from (select SupportRepId, count(*) n from Customer group by 1);

-- list: all albums of Metallica
select AlbumId from Album b join Artist a on a.ArtistId = b.ArtistId where a.Name = 'Metallica';

-- list: invoices of customers from France
select i.InvoiceId from Invoice i join Customer c on c.CustomerId = i.CustomerId where c.Country = 'France';

-- list: Heavy Metal tracks between 3 and 4 minutes
null;

-- list: customers who have a company
select CustomerId from Customer where Company is not null;

-- list: tracks of the album Let There Be Rock
select t.TrackId from Track t join Album b on b.AlbumId = t.AlbumId where b.Title = 'Let There Be Rock';

-- list: employees with the title Sales Support Agent
select EmployeeId from Employee where Title = 'Sales Support Agent';

-- list: names of all playlists
select Name from Playlist;

-- list: invoices with a total above 20
select InvoiceId from Invoice where Total > 20;

-- list: media types
select Name from MediaType;

-- lookup: which support rep does customer 1 have?
select SupportRepId from Customer where CustomerId = 1;

-- lookup: country of customer 23
select Country from Customer where CustomerId = 23;

-- lookup: composer of track 100
select Composer from Track where TrackId = 100;

-- minmax: most recent invoice
select InvoiceId from Invoice order by InvoiceDate desc, InvoiceId limit 1;

-- minmax: when was the first invoice?
select min(InvoiceDate) from Invoice;

-- minmax: maximum track price
select max(UnitPrice) from Track;

-- negated: tracks that are not Rock
select t.TrackId from Track t join Genre g on g.GenreId = t.GenreId where g.Name <> 'Rock';

-- like: tracks starting with 'Black'
select TrackId from Track where Name like 'Black%';

-- like: customers whose company contains 'Inc'
select CustomerId from Customer where Company like '%Inc%';

-- compare: compare sales in Germany and France by year
select strftime('%Y', InvoiceDate), BillingCountry, sum(Total) from Invoice where BillingCountry in ('Germany', 'France') group by 1, 2;

-- compare: which has more albums, Queen or U2?
select a.Name, count(*) n from Album b join Artist a on a.ArtistId = b.ArtistId where a.Name in ('Queen', 'U2') group by a.ArtistId order by n desc limit 1;

-- selfjoin: who is the manager of employee 3?
null;

-- bridge: playlists that contain the track Enter Sandman
select distinct x.PlaylistId from PlaylistTrack x join Track t on t.TrackId = x.TrackId where t.Name = 'Enter Sandman';

-- bridge: number of playlists with more than 200 tracks
select count(*) from (select PlaylistId from PlaylistTrack group by 1 having count(*) > 200);

-- trap: favorite genre of customer 5
null;

-- trap: total sales excluding tax
null;

-- trap: tracks by female artists
null;

-- trap: albums released in 1999
null;

-- trap: average age of employees
null;

-- trap: tracks that were sold every year
null;

-- trap: median track length
null;
